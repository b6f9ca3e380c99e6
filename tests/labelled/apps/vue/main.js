import { createApp, createSSRApp } from "vue";
import { boot } from "../boot.js";
import App from "./App.vue";

const page = boot();
(page.hydrate ? createSSRApp : createApp)(App, { page }).mount(`#${page.root ?? "app"}`);

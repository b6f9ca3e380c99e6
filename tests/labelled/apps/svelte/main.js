import { hydrate, mount } from "svelte";
import { boot } from "../boot.js";
import App from "./App.svelte";

const page = boot(), target = document.getElementById(page.root ?? "svelte");
(page.hydrate ? hydrate : mount)(App, { target, props: { page } });

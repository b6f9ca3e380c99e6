import { render as toHtml } from "svelte/server";
import App from "./App.svelte";

export const render = async (page) => toHtml(App, { props: { page } }).body;

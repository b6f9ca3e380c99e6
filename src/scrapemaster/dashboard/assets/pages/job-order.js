// What was ordered, to read and to order again.
import { html, useState } from "../app/ui.js";
import { Code } from "../parts/code.js";
import { Tabs } from "../parts/tabs.js";
import { asCurl, asJson, asPython } from "../workbench/code.js";
import { orderOf } from "./job-parts.js";

export function Order({ job }) {
  const [form, setForm] = useState("json");
  const order = orderOf(job);
  const text = { json: asJson, curl: asCurl, python: asPython }[form](order);
  return html`<section class="card padded stack" aria-label="Order"><p class="soft">The same job, as a request to the API. Sign in with an API key of yours in place of <code>$SCRAPEMASTER_KEY</code>.</p>
    <${Tabs} label="Language" tabs=${[{ id: "json", name: "JSON" }, { id: "curl", name: "curl" }, { id: "python", name: "Python" }]} chosen=${form} onChoose=${setForm} />
    <${Code} label=${`Order as ${form}`} text=${text} /></section>`;
}

// What the draft gives on this page and on two others, as it is made.
import { html, useEffect, useRef, useState } from "../app/ui.js";
import { post } from "../app/api.js";
import { bare, percent, plural } from "../app/format.js";
import { Icon } from "../parts/icon.js";
import { Tabs } from "../parts/tabs.js";
import { Empty } from "../parts/states.js";
import { configOf, selectorsOf } from "./draft.js";

const STILL = 450;
const SHOWN = 25;

/** A preview of each page, asked for again when the draft was still for a moment. */
export function usePreviews(draft, pages) {
  const [state, setState] = useState({});
  const { follow_links: _links, max_pages: _pages, ...config } = configOf(draft);
  const body = { engine: draft.engine, selectors: selectorsOf(draft), config };
  const key = JSON.stringify([body, pages]);
  const wanted = pages.length > 0 && (draft.fields.some((one) => one.name && one.selector) || draft.item !== "");
  useEffect(() => {
    if (!wanted) { setState({}); return undefined; }
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      setState((before) => Object.fromEntries(pages.map((page) => [page, { ...before[page], busy: true }])));
      await Promise.all(pages.map(async (page) => {
        let result;
        try {
          result = { preview: await post("/extract/preview", { url: page, ...body }, { signal: stop.signal }) };
        } catch (error) {
          if (stop.signal.aborted) return;
          result = { error };
        }
        setState((before) => ({ ...before, [page]: result }));
      }));
    }, STILL);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [key, wanted]);
  return state;
}

/** @param {{pages: string[], links: string[], previews: Record<string, any>, fields: any[], onPage: (place: number, page: string) => void}} props */
export function Rows({ pages, links, previews, fields, onPage }) {
  const [chosen, setChosen] = useState("0");
  const place = Math.min(Number(chosen), Math.max(0, pages.length - 1));
  const page = pages[place];
  const now = previews[page] ?? {};
  const tabs = pages.map((one, index) => {
    const found = previews[one];
    const count = found?.error || found?.preview?.error ? "!" : found?.preview ? found.preview.items_total : found?.busy ? "…" : undefined;
    return { id: String(index), name: index === 0 ? "This page" : `Page ${index + 1}`, count };
  });
  const names = fields.map((one) => one.name).filter(Boolean);
  const preview = now.preview;
  const problem = now.error?.message ?? preview?.error?.detail;
  return html`<section class="card rowsbox" aria-label="Rows as they would be"><header><h2>Rows</h2>${preview && !problem && html`<span class="soft figure" role="status">${plural(preview.items_total, "row")}${now.busy ? " …" : ""}</span>`}</header>
    ${pages.length > 0 && html`<div class="rowtabs"><${Tabs} label="Pages tried" tabs=${tabs} chosen=${String(place)} onChoose=${setChosen} />
      ${place > 0 && html`<select aria-label="Another page of the site" onChange=${(event) => onPage(place, event.target.value)}>${[...new Set([page, ...links])].map((one) => html`<option key=${one} value=${one} selected=${one === page}>${bare(one)}</option>`)}</select>`}</div>`}
    ${problem ? html`<div class="note bad inset" role="alert"><${Icon} name="warn" /><div>${problem}</div></div>`
      : !preview ? html`<${Empty} icon="list" title="Rows appear here">${names.length ? "One moment." : "Choose a field, and see what it gives on this page and on two others."}<//>`
      : html`${preview.warnings.filter((text) => !text.startsWith("only the first")).map((text) => html`<div class="note warn inset" key=${text}><${Icon} name="warn" /><div>${text}</div></div>`)}
        <div class="scroll"><table class="table tight"><thead><tr>${names.map((name) => html`<th key=${name}>${name}<span class="share">${preview.fill[name] ? percent(preview.fill[name].rate) : ""}</span></th>`)}</tr></thead>
        <tbody>${preview.items.slice(0, SHOWN).map((row, index) => html`<tr key=${index}>${names.map((name) => html`<td key=${name} class="cut limit">${shown(row[name])}</td>`)}</tr>`)}</tbody></table></div>
        ${preview.items_total > SHOWN && html`<p class="inset faint">and ${plural(preview.items_total - SHOWN, "more row")}</p>`}`}
  </section>`;
}

function shown(value) {
  if (value === null || value === undefined) return html`<span class="faint">–</span>`;
  if (typeof value === "number") return html`<span class="figure number">${value}</span>`;
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return html`<span title=${text.slice(0, 500)}>${text.replace(/\s+/g, " ").slice(0, 140)}</span>`;
}

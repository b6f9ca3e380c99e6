// The rows of a job, a million as well as ten.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../app/ui.js";
import { download, get } from "../app/api.js";
import { count, moment, plural } from "../app/format.js";
import { useKept, useStill } from "../app/load.js";
import { useKeys } from "../app/keys.js";
import { Button } from "../parts/button.js";
import { Code } from "../parts/code.js";
import { Dialog } from "../parts/dialog.js";
import { Check } from "../parts/field.js";
import { Grid, useBlocks } from "../parts/grid.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Empty, Wrong } from "../parts/states.js";
import { OVER } from "../parts/status.js";
import { tell } from "../parts/toast.js";
import { CHOICES } from "./job-parts.js";

const SYSTEM = ["url", "scraped_at"];

export function Results({ job }) {
  const [text, setText] = useState("");
  const wanted = useStill(text.trim(), 300);
  const [names, setNames] = useState(() => Object.keys(job.selectors));
  const [hidden, setHidden] = useKept(`sm.columns.${job.name ?? job.id}`, ["scraped_at"]);
  const [open, setOpen] = useState(-1);
  const box = useRef(null);
  const learn = useCallback((rows) => setNames((before) => {
    const known = new Set(before);
    const more = rows.flatMap((row) => Object.keys(row.data)).filter((name) => !known.has(name) && known.add(name));
    return more.length ? [...before, ...more] : before;
  }), []);
  const all = useBlocks(async (skip, limit, signal) => {
    const { results } = await get(`/results/${job.id}`, { skip, limit }, signal);
    learn(results);
    return results;
  }, job.items_scraped, [job.id]);
  const found = useSearch(job.id, wanted, learn);
  const searching = wanted !== "";
  const total = searching ? found.rows.length : job.items_scraped;
  const rowAt = searching ? (place) => found.rows[place] : all.row;
  const onRange = useCallback((first, last) => {
    if (searching) { if (last >= found.rows.length - 30) found.more(); } else { all.forget(first, last); all.want(first, last); }
  }, [searching, found, all]);
  const columns = useMemo(() => [
    { id: "#", name: "#", width: 76, cell: (_, place) => html`<span class="faint number">${count(place + 1)}</span>` },
    ...[...names, ...SYSTEM].filter((name) => !hidden.includes(name)).map((name) => ({ id: name, name: NAMES[name] ?? name, width: names.length + 2 - hidden.length > 5 ? 200 : undefined, cell: (row) => cell(row, name) })),
  ], [names, hidden]);
  useKeys([{ keys: "/", what: "Search the rows", act: () => box.current?.querySelector("input[type=search]").focus() }]);
  const opened = open >= 0 ? rowAt(open) : undefined;
  if (!job.items_scraped) {
    return html`<div class="card"><${Empty} icon="list" title=${OVER.has(job.status) ? "No rows" : "No rows yet"}>${OVER.has(job.status) ? "The selectors found nothing. Duplicate the job and try them on the page." : "They appear here as soon as the first page is done."}<//></div>`;
  }
  return html`<section class="card results" aria-label="Rows" ref=${box}>
    <div class="toolbar"><div class="search"><${Icon} name="search" /><input type="search" aria-label="Search the rows" placeholder="Search the rows" value=${text} onInput=${(event) => setText(event.target.value)} /><kbd>/</kbd></div>
      <span class="soft figure" role="status">${searching ? `${plural(found.rows.length, "match")}`.replace("matchs", "matches") + (found.done ? "" : found.busy ? ", searching …" : " so far") : plural(job.items_scraped, "row")}</span><span class="push"></span>
      <${Menu} label="Columns" icon="columns" kind="plain" text="Columns">${[...names, ...SYSTEM].map((name) => html`<${Check} key=${name} label=${NAMES[name] ?? name} checked=${!hidden.includes(name)}
        onChange=${(on) => setHidden(on ? hidden.filter((one) => one !== name) : [...hidden, name])} />`)}<//>
      <${Button} icon="down" onClick=${() => tell(download(`/results/${job.id}/export`, { format: "csv", fields: hidden.length ? [...names, ...SYSTEM].filter((one) => !hidden.includes(one)).map(quoted).join(",") : undefined }))}>CSV of these columns<//></div>
    ${(searching ? found.error : all.error) ? html`<${Wrong} error=${searching ? found.error : all.error} onRetry=${() => (searching ? found.more() : all.want(0, 50))} />`
      : searching && total === 0 && found.done ? html`<${Empty} icon="search" title="No row has that">Case does not matter; every field and the page's address are searched.<//>`
      : html`<div class="gridbox" style=${{ height: `min(${(Math.max(3, total) + 1) * 34 + 3}px, max(320px, 100dvh - 150px))` }}><${Grid} key=${wanted} label="Rows" total=${total} columns=${columns} rowAt=${rowAt} onRange=${onRange} onOpen=${setOpen} chosen=${open} /></div>`}
    ${opened && html`<${Dialog} side title=${`Row ${count(open + 1)}`} onClose=${() => setOpen(-1)}
      footer=${html`<${Button} icon="left" disabled=${open <= 0} onClick=${() => setOpen(open - 1)}>Previous<//><${Button} icon="right" disabled=${open >= total - 1 || rowAt(open + 1) === undefined} onClick=${() => setOpen(open + 1)}>Next<//>`}>
      <p class="soft">From <a href=${opened.url} target="_blank" rel="noopener noreferrer">${opened.url}</a><br />${moment(opened.scraped_at)}${opened.engine_reason && html`<br />${opened.engine_used === "browser" ? "Rendered" : "Taken plainly"}: ${CHOICES[opened.engine_reason] ?? opened.engine_reason}`}</p>
      <dl class="detail">${Object.entries(opened.data).map(([name, value]) => html`<div key=${name}><dt class="mono">${name}</dt><dd>${value === null ? html`<span class="faint">null</span>` : typeof value === "object" ? html`<pre class="mono">${JSON.stringify(value, null, 2)}</pre>` : String(value)}</dd></div>`)}</dl>
      <${Code} label="Row as JSON" text=${JSON.stringify(opened.data, null, 2)} /><//>`}
  </section>`;
}

const NAMES = { url: "Page", scraped_at: "Scraped" };
const quoted = (name) => (/[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);

function cell(row, name) {
  const value = name in row.data ? row.data[name] : name === "url" ? row.url : name === "scraped_at" ? moment(row.scraped_at) : undefined;
  if (value === null || value === undefined) return html`<span class="null">–</span>`;
  if (typeof value === "number") return html`<span class="number">${value}</span>`;
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** Rows with a text in them, read on as they are looked at. */
function useSearch(id, text, learn) {
  const [, turn] = useState(0);
  const state = useMemo(() => ({ rows: [], next: "0", busy: false, error: null, stop: new AbortController() }), [id, text]);
  const more = useCallback(async () => {
    if (state.busy || state.next === null || !text) return;
    state.busy = true;
    turn((before) => before + 1);
    const until = state.rows.length + 60;
    try {
      // A call looks at so many rows: go on until there is something to show.
      while (state.next !== null && state.rows.length < until && !state.stop.signal.aborted) {
        const page = await get(`/results/${id}`, { q: text, cursor: state.next, limit: 200 }, state.stop.signal);
        learn(page.results);
        state.rows = [...state.rows, ...page.results];
        state.next = page.next;
        turn((before) => before + 1);
      }
      state.error = null;
    } catch (error) {
      if (error.name !== "AbortError") state.error = error;
    }
    state.busy = false;
    turn((before) => before + 1);
  }, [state]);
  useEffect(() => { more(); return () => state.stop.abort(); }, [state]);
  return { rows: state.rows, done: state.next === null, busy: state.busy, error: state.error, more };
}

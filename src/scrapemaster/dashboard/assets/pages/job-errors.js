// The pages that failed, by reason, with what the reason was concluded from.
import { html, useState } from "../app/ui.js";
import { list } from "../app/api.js";
import { count, plural } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { Icon } from "../parts/icon.js";
import { Pager } from "../parts/pager.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { Ago } from "../parts/time.js";
import { grouped } from "./job-overview.js";
import { reasonWord } from "./job-parts.js";

const LIMIT = 500;

export function Errors({ job }) {
  const [skip, setSkip] = useState(0);
  const { data, error, reload } = useLoad((signal) => list(`/jobs/${job.id}/errors`, { skip, limit: LIMIT }, signal), [job.id, skip, job.status, job.pages_failed, job.pages_skipped]);
  if (error && !data) return html`<div class="card"><${Wrong} error=${error} onRetry=${reload} /></div>`;
  if (!data) return html`<div class="card"><${Waiting} /></div>`;
  if (!data.total) return html`<div class="card"><${Empty} icon="check" title="No page failed">Every page that was asked for was had.<//></div>`;
  return html`<div class="stack">
    ${data.total > LIMIT && html`<div class="actions"><${Pager} skip=${skip} limit=${LIMIT} total=${data.total} what="pages" onSkip=${setSkip} /></div>`}
    ${grouped(data.rows).map(([reason, rows], place) => html`<details class="card group" key=${reason} open=${place < 3}>
      <summary><${Icon} name="right" size=${14} /><b>${reasonWord(reason)}</b><code class="faint">${reason}</code><span class="count">${count(rows.length)}</span><span class="pill">${rows.every((one) => one.state === "skipped") ? "skipped by rule" : "failed"}</span></summary>
      <p class="soft inset">${rows[0].detail}</p>
      ${rows[0].evidence && html`<dl class="evidence inset">${Object.entries(rows[0].evidence).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`}
      <${Pages} rows=${rows} /></details>`)}</div>`;
}

function Pages({ rows }) {
  const [most, setMost] = useState(20);
  return html`<div class="scroll"><table class="table"><thead><tr><th>Page</th><th class="right">Status</th><th class="right">Tries</th><th>When</th></tr></thead>
    <tbody>${rows.slice(0, most).map((row) => html`<tr key=${row.url}><td class="long"><a href=${row.url} target="_blank" rel="noopener noreferrer">${row.url}</a>${row.detail !== rows[0].detail && html`<span class="sub">${row.detail}</span>`}</td>
      <td class="right">${row.status ?? "–"}</td><td class="right">${row.attempts}</td><td class="nowrap soft"><${Ago} at=${row.at} /></td></tr>`)}</tbody></table></div>
    ${rows.length > most && html`<p class="inset"><button type="button" class="linklike" onClick=${() => setMost(most + 200)}>Show ${plural(Math.min(200, rows.length - most), "more page")}</button></p>`}`;
}

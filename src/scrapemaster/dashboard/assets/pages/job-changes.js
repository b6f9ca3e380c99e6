// What is new, changed and gone since an earlier run.
import { html, useState } from "../app/ui.js";
import { get, list } from "../app/api.js";
import { count, moment } from "../app/format.js";
import { useLoad, useStill } from "../app/load.js";
import { Choice, Text } from "../parts/field.js";
import { Pager } from "../parts/pager.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";

const LIMIT = 50;
const KINDS = [["", "All"], ["new", "New"], ["changed", "Changed"], ["gone", "Gone"]];

export function Changes({ job }) {
  const [against, setAgainst] = useState("");
  const [by, setBy] = useState("");
  const [kind, setKind] = useState("");
  const [skip, setSkip] = useState(0);
  const field = useStill(by.trim(), 400);
  const runs = useLoad((signal) => list("/jobs", { ...(job.schedule_id ? { schedule: job.schedule_id } : { q: job.name }), status: "completed", limit: 50 }, signal), [job.id]);
  const { data, error, reload } = useLoad((signal) => get(`/jobs/${job.id}/changes`, { against, by: field, kind, skip, limit: LIMIT }, signal), [job.id, against, field, kind, skip]);
  const others = (runs.data?.rows ?? []).filter((one) => one.id !== job.id && (job.schedule_id || one.name === job.name));
  const amount = data ? { "": data.new + data.changed + data.gone, new: data.new, changed: data.changed, gone: data.gone } : {};
  if (data && data.against === null) return html`<div class="card"><${Empty} icon="clock" title="Nothing to compare with">This is the first run. Run the job again, or put it on a schedule: what is new, changed and gone is shown here.<//></div>`;
  return html`<section class="card" aria-label="Changes"><div class="toolbar">
      <div class="chips tight" role="group" aria-label="Kind of change">${KINDS.map(([id, name]) => html`<button key=${id} type="button" aria-pressed=${kind === id ? "true" : "false"} onClick=${() => { setKind(id); setSkip(0); }}>${name}<b>${data ? count(amount[id]) : ""}</b></button>`)}</div>
      <span class="push"></span>
      <div class="inline"><${Choice} label="Compared with" value=${against} options=${[["", "the run before"], ...others.map((one) => [one.id, moment(one.created_at)])]} onChange=${(next) => { setAgainst(next); setSkip(0); }} /></div>
      <div class="inline"><${Text} label="Same thing when equal in" value=${by} placeholder=${data?.by === "*" ? "whole rows" : data?.by ?? ""} onInput=${(next) => { setBy(next); setSkip(0); }} /></div></div>
    ${error ? html`<${Wrong} error=${error} onRetry=${reload} />` : !data ? html`<${Waiting} />`
      : data.changes.length === 0 ? html`<${Empty} icon="check" title="Nothing changed">${count(data.same)} rows are as they were.<//>`
      : html`<div class="scroll"><table class="table changes"><thead><tr><th>Change</th><th>${data.by === "*" ? "Row" : data.by}</th><th>What</th></tr></thead><tbody>
        ${data.changes.map((one, place) => html`<tr key=${`${one.kind}${one.key}${place}`}><td><span class=${`pill ${one.kind}`}>${one.kind}</span></td><td class="mono long">${one.key.slice(0, 200)}</td><td>${what(one)}</td></tr>`)}</tbody></table></div>
        <div class="toolbar"><span class="soft">${count(data.same)} rows are as before</span><span class="push"></span><${Pager} skip=${skip} limit=${LIMIT} total=${amount[kind]} onSkip=${setSkip} /></div>`}</section>`;
}

const shown = (value) => (value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value)).slice(0, 160);

function what(change) {
  if (change.kind === "changed") {
    return change.fields.map((name) => html`<div key=${name} class="delta"><span class="mono faint">${name}</span><del>${shown(change.before[name])}</del><ins>${shown(change.after[name])}</ins></div>`);
  }
  const row = change.after ?? change.before;
  return html`<span class="soft">${Object.entries(row).filter(([name]) => name !== "url").slice(0, 4).map(([, value]) => shown(value)).join(" · ")}</span>`;
}

// One schedule: its runs, and what changed from one to the next.
import { html, useState } from "../app/ui.js";
import { get, list, patch, post } from "../app/api.js";
import { count, span } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { go } from "../app/router.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { Pager } from "../parts/pager.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { Status } from "../parts/status.js";
import { Ago } from "../parts/time.js";
import { tell } from "../parts/toast.js";
import { cronWord, scheduleName } from "./schedules.js";

const LIMIT = 20;

export function Schedule({ id }) {
  const [skip, setSkip] = useState(0);
  const one = useLoad((signal) => get(`/schedules/${id}`, {}, signal), [id]);
  const runs = useLoad((signal) => list("/jobs", { schedule: id, skip, limit: LIMIT }, signal), [id, skip]);
  if (one.error) return html`<${Titlebar} title="Schedule" /><div class="card"><${Wrong} error=${one.error} onRetry=${one.reload} /></div>`;
  if (!one.data) return html`<${Titlebar} title="Schedule" /><div class="card"><${Waiting} /></div>`;
  const schedule = one.data;
  const turn = async () => { const next = await tell(patch(`/schedules/${id}`, { enabled: !schedule.enabled }), schedule.enabled ? "Switched off" : "Switched on"); if (next) one.set(next); };
  const run = async () => { const job = await tell(post(`/schedules/${id}/run`), "On its way"); if (job) go(`/jobs/${job.id}`); };
  const rows = runs.data?.rows ?? [];
  const most = Math.max(1, ...rows.map((job) => job.items_scraped));
  return html`<nav class="crumbs" aria-label="Where this is"><a href="/schedules">Schedules</a><${Icon} name="right" size=${12} /><span class="cut">${scheduleName(schedule)}</span></nav>
    <${Titlebar} title=${scheduleName(schedule)}><${Button} icon=${schedule.enabled ? "pause" : "play"} onClick=${turn}>${schedule.enabled ? "Switch off" : "Switch on"}<//>
      <${Button} icon="edit" href=${`/new?schedule=${id}`}>Change<//><${Button} kind="primary" icon="play" onClick=${run}>Run now<//><//>
    <div class="headline"><span class="mono">${schedule.cron}</span><span class="soft">${cronWord(schedule.cron)}</span><span class="faint">·</span><span class="soft">${schedule.timezone}</span><span class="faint">·</span>
      <span class="soft">${schedule.enabled ? html`next run <${Ago} at=${schedule.next_run_at} />` : "switched off"}</span></div>
    ${schedule.last_error && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${schedule.last_error}</div></div>`}
    <section class="card" aria-label="Runs"><header><h2>Runs</h2><${Pager} skip=${skip} limit=${LIMIT} total=${runs.data?.total ?? 0} onSkip=${setSkip} /></header>
      ${runs.error && !runs.data ? html`<${Wrong} error=${runs.error} onRetry=${runs.reload} />` : !runs.data ? html`<${Waiting} />`
      : !rows.length ? html`<${Empty} icon="clock" title="It has not run yet" action=${html`<${Button} icon="play" onClick=${run}>Run now<//>`}>The runs are listed here, each with what changed since the one before.<//>`
      : html`<div class="scroll"><table class="table"><thead><tr><th>Run</th><th>Status</th><th>Rows</th><th>Since the run before</th><th class="right">Failed</th><th class="right">Took</th></tr></thead><tbody>
        ${rows.map((job) => html`<tr key=${job.id}><td class="nowrap"><a href=${`/jobs/${job.id}`}><${Ago} at=${job.created_at} /></a></td><td><${Status} value=${job.status} /></td>
          <td><span class="meter thin" aria-hidden="true"><i style=${{ transform: `scaleX(${job.items_scraped / most})` }}></i></span><span class="figure">${count(job.items_scraped)}</span></td>
          <td>${job.status === "completed" ? html`<${Since} job=${job} />` : html`<span class="faint">–</span>`}</td><td class=${`right${job.pages_failed ? " bad" : " faint"}`}>${count(job.pages_failed)}</td>
          <td class="right soft nowrap">${job.finished_at && job.started_at ? span((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000) : "–"}</td></tr>`)}</tbody></table></div>`}</section>`;
}

function Since({ job }) {
  const { data, error } = useLoad((signal) => get(`/jobs/${job.id}/changes`, { limit: 1 }, signal), [job.id]);
  if (error) return html`<span class="faint" title=${error.message}>–</span>`;
  if (data && data.against === null) return html`<span class="faint">the first run</span>`;
  if (!data) return html`<span class="faint">…</span>`;
  if (!data.new && !data.changed && !data.gone) return html`<a class="soft" href=${`/jobs/${job.id}?tab=changes`}>as before</a>`;
  return html`<a class="plain" href=${`/jobs/${job.id}?tab=changes`}>${[["new", data.new], ["changed", data.changed], ["gone", data.gone]].filter(([, amount]) => amount).map(([kind, amount]) => html`<span key=${kind} class=${`pill ${kind}`}>${count(amount)} ${kind}</span> `)}</a>`;
}

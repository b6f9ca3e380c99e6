// Jobs that are ordered again and again.
import { html, useState } from "../app/ui.js";
import { list, patch, post, remove } from "../app/api.js";
import { bare } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { go } from "../app/router.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { confirm } from "../parts/dialog.js";
import { Menu } from "../parts/menu.js";
import { Pager } from "../parts/pager.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { Ago } from "../parts/time.js";
import { tell } from "../parts/toast.js";
import { CRONS } from "../workbench/options.js";

const LIMIT = 50;

/** What a cron expression means, where it is a usual one. */
export const cronWord = (cron) => CRONS.find(([id]) => id === cron)?.[1] ?? "";

export const scheduleName = (one) => one.name ?? one.job.name ?? bare(one.job.url ?? one.job.urls?.[0] ?? "");

export function Schedules() {
  const [skip, setSkip] = useState(0);
  const { data, error, reload } = useLoad((signal) => list("/schedules", { skip, limit: LIMIT }, signal), [skip]);
  const turn = async (one) => { if (await tell(patch(`/schedules/${one.id}`, { enabled: !one.enabled }), one.enabled ? "Switched off" : "Switched on")) reload(); };
  const run = async (one) => { const job = await tell(post(`/schedules/${one.id}/run`), "On its way"); if (job) go(`/jobs/${job.id}`); };
  const drop = async (one) => {
    if (!(await confirm({ title: `Delete “${scheduleName(one)}”?`, text: "It orders nothing more. Its jobs and their rows stay.", action: "Delete" }))) return;
    if (await tell(remove(`/schedules/${one.id}`), "Deleted")) reload();
  };
  return html`<${Titlebar} title="Schedules"><${Button} kind="primary" icon="plus" href="/new">New schedule<//><//>
    <section class="card" aria-label="Schedules">${error && !data ? html`<${Wrong} error=${error} onRetry=${reload} />` : !data ? html`<${Waiting} />`
      : !data.rows.length ? html`<${Empty} icon="clock" title="Nothing is scheduled" action=${html`<${Button} kind="primary" icon="plus" href="/new">Build a job<//>`}>Build a job and switch on “Run again and again”. Each run is compared with the one before: what is new, changed and gone.<//>`
      : html`<div class="scroll"><table class="table"><thead><tr><th>Schedule</th><th>When</th><th>Next run</th><th>Last run</th><th>On</th><th><span class="hidden">Actions</span></th></tr></thead><tbody>
        ${data.rows.map((one) => html`<tr key=${one.id}><td class="what"><a class="name cut" href=${`/schedules/${one.id}`}>${scheduleName(one)}</a><span class="sub cut">${bare(one.job.url ?? one.job.urls?.[0] ?? "")}</span>
          ${one.last_error && html`<span class="sub bad">${one.last_error}</span>`}</td>
          <td><span class="mono nowrap">${one.cron}</span><span class="sub">${cronWord(one.cron)} ${one.timezone}</span></td><td class="nowrap soft"><${Ago} at=${one.next_run_at} /></td>
          <td class="nowrap">${one.last_job_id ? html`<a href=${`/jobs/${one.last_job_id}`}><${Ago} at=${one.last_run_at} /></a>` : html`<span class="faint">never</span>`}</td>
          <td><button type="button" class="switch" role="switch" aria-checked=${one.enabled ? "true" : "false"} aria-label=${`${scheduleName(one)} is on`} onClick=${() => turn(one)}><i></i></button></td>
          <td class="right"><${Menu} label=${`Actions for ${scheduleName(one)}`} small entries=${[{ name: "Run now", icon: "play", act: () => run(one) }, { name: "Change", icon: "edit", href: `/new?schedule=${one.id}` }, { name: "Delete", icon: "trash", danger: true, act: () => drop(one) }]} /></td></tr>`)}</tbody></table></div>
        ${data.total > LIMIT && html`<div class="toolbar"><span class="push"></span><${Pager} skip=${skip} limit=${LIMIT} total=${data.total} onSkip=${setSkip} /></div>`}`}</section>`;
}

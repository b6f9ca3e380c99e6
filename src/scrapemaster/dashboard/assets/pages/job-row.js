// One job in the list.
import { html } from "../app/ui.js";
import { bare, compact, count, span } from "../app/format.js";
import { ratesOf } from "../app/watch.js";
import { Menu } from "../parts/menu.js";
import { Spark } from "../parts/spark.js";
import { OVER, Progress, Status } from "../parts/status.js";
import { Ago } from "../parts/time.js";
import { jobName } from "./job-parts.js";

/** @param {{job: any, place: number, active: boolean, chosen: boolean, onChoose: (id: string, add: boolean) => void, onAct: (action: string, ids: string[]) => void}} props */
export function JobRow({ job, place, active, chosen, onChoose, onAct }) {
  const over = OVER.has(job.status);
  const name = jobName(job);
  const bad = job.pages_failed;
  const entries = [
    { name: "Open", icon: "right", href: `/jobs/${job.id}` },
    { name: "Duplicate", icon: "copy", href: `/new?from=${job.id}` },
    job.status === "running" && { name: "Pause", icon: "pause", act: () => onAct("pause", [job.id]) },
    job.status === "paused" && { name: "Resume", icon: "play", act: () => onAct("resume", [job.id]) },
    !over && { name: "Cancel", icon: "stop", act: () => onAct("cancel", [job.id]) },
    over && { name: "Delete", icon: "trash", danger: true, act: () => onAct("delete", [job.id]) },
  ];
  return html`<tr data-row=${place} class=${`${active ? "active" : ""}${chosen ? " chosen" : ""}`}>
    <td><input type="checkbox" aria-label=${`Select ${name}`} checked=${chosen} onChange=${(event) => onChoose(job.id, event.target.checked)} /></td>
    <td class="what"><a href=${`/jobs/${job.id}`} class="name cut" title=${name}>${name}</a>
      <span class="sub cut">${job.name ? bare(job.url) : ""}${job.urls.length > 1 ? ` +${job.urls.length - 1}` : ""}${job.tags.map((tag) => html` <span class="pill">${tag}</span>`)}</span></td>
    <td><${Status} value=${job.status} />${job.status === "running" && job.eta_seconds !== null && html`<span class="sub">${span(job.eta_seconds)} left</span>`}
      ${job.status === "failed" && html`<span class="sub">${(job.stop_reason ?? "").replaceAll("_", " ")}</span>`}</td>
    <td class="wide-only bar"><${Progress} value=${job.progress} status=${job.status} label=${`Progress of ${name}`} /><span class="sub figure">${job.progress} % · ${compact(job.pages_fetched)} of ${compact(Math.max(job.pages_fetched, Math.min(job.pages_discovered, job.config.max_pages)))} pages</span></td>
    <td class="right wide-only rate">${over ? html`<span class="faint">–</span>` : html`<${Spark} values=${ratesOf(job.id)} />${job.rate}`}</td>
    <td class="right">${count(job.items_scraped)}</td>
    <td class=${`right wide-only${bad ? " bad" : " faint"}`}>${bad ? count(bad) : "0"}</td>
    <td class="wide-only soft nowrap"><${Ago} at=${job.created_at} /></td>
    <td class="right"><${Menu} label=${`Actions for ${name}`} small entries=${entries} /></td></tr>`;
}

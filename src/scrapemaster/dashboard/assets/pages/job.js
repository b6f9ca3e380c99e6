// One job: what it does, what it found, what went wrong.
import { html, useEffect, useRef, useState } from "../app/ui.js";
import { download, get, post, remove } from "../app/api.js";
import { useCell } from "../app/cell.js";
import { compact, count, size, span } from "../app/format.js";
import { features } from "../app/features.js";
import { useKeys } from "../app/keys.js";
import { useLoad } from "../app/load.js";
import { go, setQuery, usePlace } from "../app/router.js";
import { follow } from "../app/stream.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { confirm } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Waiting, Wrong } from "../parts/states.js";
import { OVER, Progress, Status } from "../parts/status.js";
import { Tabs } from "../parts/tabs.js";
import { Ago, useTick } from "../parts/time.js";
import { tell, toast } from "../parts/toast.js";
import { Changes } from "./job-changes.js";
import { Errors } from "./job-errors.js";
import { Log } from "./job-log.js";
import { Order } from "./job-order.js";
import { Overview } from "./job-overview.js";
import { Results } from "./job-results.js";
import { Shots } from "./job-shots.js";
import { jobName, orderOf } from "./job-parts.js";

/** The job and its log, live until it is over. */
function useJob(id) {
  const { data, error, reload, set } = useLoad((signal) => get(`/jobs/${id}`, {}, signal), [id]);
  const [lines, setLines] = useState([]);
  const held = useRef(null);
  held.current = data;
  useEffect(() => {
    const stop = new AbortController();
    const waiting = [];
    let drawing = 0;
    setLines([]);
    const draw = () => { drawing = 0; setLines((before) => [...before, ...waiting.splice(0)].slice(-1000)); };
    follow(`/jobs/${id}/events`, (event, news) => {
      if (event === "log") {
        waiting.push(news);
        drawing ||= requestAnimationFrame(draw);
      } else if (event === "end") {
        if (news) set(news);
      } else if (held.current) set({ ...held.current, ...news });
    }, { signal: stop.signal, last: "end" });
    return () => { stop.abort(); cancelAnimationFrame(drawing); };
  }, [id]);
  // How full the fields are is not in the stream: read now and then while rows come in.
  useEffect(() => {
    if (data?.status !== "running") return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => get(`/jobs/${id}`, {}, stop.signal).then((news) => { if (!stop.signal.aborted) set(news); }, () => {}), 6000);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [id, data?.status, data?.items_scraped > 0, data?.fill]);
  return { job: data, error, reload, set, lines };
}

export function Job({ id }) {
  const { query } = usePlace();
  const { job, error, reload, set, lines } = useJob(id);
  const can = useCell(features);
  const tab = query.get("tab") ?? "overview";
  const over = job && OVER.has(job.status);
  useTick(1000, job?.status === "running");
  const act = async (verb, said) => {
    const answer = await tell(post(`/jobs/${id}/${verb}`), said);
    if (!answer) return;
    if (answer.id !== id) go(`/jobs/${answer.id}`);
    else set(answer);
  };
  const cancel = async () => {
    if (await confirm({ title: "Cancel this job?", text: "It stops within two seconds. What it scraped so far stays.", action: "Cancel the job" })) act("cancel", "Cancelled");
  };
  const drop = async () => {
    if (!(await confirm({ title: "Delete this job?", text: `${count(job.items_scraped)} rows go with it. This cannot be taken back.`, action: "Delete" }))) return;
    if (await tell(remove(`/jobs/${id}`), "Deleted")) go("/jobs");
  };
  const save = (format) => { toast(`Preparing the ${format.toUpperCase()} file`); tell(download(`/results/${id}/export`, { format })); };
  useKeys([
    { keys: "p", what: "Pause or resume", act: () => job?.status === "running" ? act("pause", "Paused") : job?.status === "paused" && act("resume", "Goes on") },
    { keys: "d", what: "Duplicate", act: () => go(`/new?from=${id}`) },
  ], [job]);
  if (error && !job) return html`<${Titlebar} title="Job" /><div class="card"><${Wrong} error=${error} onRetry=${reload} /></div>`;
  if (!job) return html`<${Titlebar} title="Job" /><div class="card"><${Waiting} /></div>`;
  const bad = job.pages_failed + job.pages_skipped;
  const tabs = [
    { id: "overview", name: "Overview" },
    { id: "results", name: "Results", count: compact(job.items_scraped) },
    { id: "errors", name: "Errors", count: bad ? compact(bad) : undefined },
    { id: "log", name: "Log" },
    (job.schedule_id || job.name) && over && { id: "changes", name: "Changes" },
    can.artefacts && { id: "shots", name: "Screenshots" },
    { id: "order", name: "Order" },
  ].filter(Boolean);
  const shown = tabs.some((one) => one.id === tab) ? tab : "overview";
  return html`
    <nav class="crumbs" aria-label="Where this is"><a href="/jobs">Jobs</a><${Icon} name="right" size=${12} /><span class="cut">${jobName(job)}</span></nav>
    <${Titlebar} title=${jobName(job)}>
      ${job.status === "running" && html`<${Button} icon="pause" onClick=${() => act("pause", "Paused")}>Pause<//>`}
      ${job.status === "paused" && html`<${Button} kind="primary" icon="play" onClick=${() => act("resume", "Goes on")}>Resume<//>`}
      ${!over && html`<${Button} icon="stop" onClick=${cancel}>Cancel<//>`}
      ${job.pages_failed > 0 && html`<${Button} icon="retry" onClick=${() => act("retry", "The failed pages are fetched again")}>Retry failed<//>`}
      ${job.items_scraped > 0 && html`<${Menu} label="Export" icon="down" text="Export" kind=${over ? "primary" : "plain"} entries=${EXPORTS.map(([format, name, hint]) => ({ name, hint, act: () => save(format) }))} />`}
      <${Menu} label="More" kind="plain" entries=${[
        { name: "Duplicate and edit", icon: "edit", href: `/new?from=${id}` },
        { name: "Run again", icon: "retry", act: async () => { const again = await tell(post("/jobs", orderOf(job)), "Ordered again"); if (again) go(`/jobs/${again.id}`); } },
        over && { name: "Delete", icon: "trash", danger: true, act: drop },
      ]} />
    <//>
    <div class="headline"><${Status} value=${job.status} /><span class="faint">·</span><a class="cut" href=${job.url} target="_blank" rel="noopener noreferrer">${job.url}</a>
      ${job.urls.length > 1 && html`<span class="faint">and ${count(job.urls.length - 1)} more</span>`}
      <span class="faint">·</span><span class="soft">${job.engine_used ?? job.engine}</span><span class="faint">·</span><span class="soft">created <${Ago} at=${job.created_at} /></span>
      ${job.retry_of && html`<span class="faint">·</span><a href=${`/jobs/${job.retry_of}`}>retry of an earlier job</a>`}
      ${job.schedule_id && html`<span class="faint">·</span><a href=${`/schedules/${job.schedule_id}`}>by schedule</a>`}
      ${job.tags.map((tag) => html`<span class="pill" key=${tag}>${tag}</span>`)}</div>
    <div class="card hero">
      <div class="hero-bar"><b class="figure">${job.progress} %</b><${Progress} value=${job.progress} status=${job.status} />
        <span class="soft">${ending(job)}</span></div>
      <dl class="tiles">
        <${Tile} name="Pages" value=${compact(job.pages_fetched)} note=${`of ${compact(job.pages_discovered)} known`} />
        <${Tile} name="Rows" value=${compact(job.items_scraped)} note=${job.items_failed ? `${count(job.items_failed)} dropped` : "none dropped"} />
        <${Tile} name="Failed" value=${compact(job.pages_failed)} note=${`${compact(job.pages_skipped)} skipped by rule`} bad=${job.pages_failed > 0} />
        <${Tile} name="Pages a second" value=${over ? perSecond(job) : job.rate} note=${over ? "on average" : "of late"} />
        <${Tile} name="Downloaded" value=${size(job.bytes_downloaded)} note=${job.pages_fetched ? `${size(job.bytes_downloaded / job.pages_fetched)} a page` : ""} />
        <${Tile} name="Time" value=${span(seconds(job))} note=${job.eta_seconds !== null ? `${span(job.eta_seconds)} left` : job.started_at ? "" : "not started"} />
      </dl></div>
    ${job.error && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${job.error}</div></div>`}
    ${job.warnings.map((text) => html`<div class="note warn" key=${text}><${Icon} name="warn" /><div>${text}</div></div>`)}
    <${Tabs} label="Parts of the job" tabs=${tabs} chosen=${shown} onChoose=${(next) => setQuery({ tab: next === "overview" ? "" : next })} />
    <div role="tabpanel" aria-labelledby=${`tab-${shown}`} class="tabpanel">
      ${shown === "overview" && html`<${Overview} job=${job} />`}
      ${shown === "results" && html`<${Results} job=${job} />`}
      ${shown === "errors" && html`<${Errors} job=${job} />`}
      ${shown === "log" && html`<${Log} lines=${lines} live=${!over} />`}
      ${shown === "changes" && html`<${Changes} job=${job} />`}
      ${shown === "shots" && html`<${Shots} job=${job} />`}
      ${shown === "order" && html`<${Order} job=${job} />`}
    </div>`;
}

const EXPORTS = [["csv", "CSV", "spreadsheets"], ["json", "JSON", ""], ["jsonl", "JSON Lines", "streams"], ["xlsx", "Excel", ""], ["parquet", "Parquet", "data tools"]];

const Tile = ({ name, value, note, bad }) => html`<div class=${bad ? "bad" : ""}><dt>${name}</dt><dd class="figure">${value}</dd><dd class="small">${note}</dd></div>`;

function seconds(job) {
  if (!job.started_at) return null;
  return ((job.finished_at ? Date.parse(job.finished_at) : Date.now()) - Date.parse(job.started_at)) / 1000;
}

function perSecond(job) {
  const time = seconds(job);
  return time > 0.5 ? compact(Math.round((job.pages_fetched / time) * 10) / 10) : "–";
}

function ending(job) {
  const reason = { max_pages: "stopped at its limit of pages", max_duration: "stopped at its limit of time", cancelled_by_user: "cancelled", all_pages_failed: "no page could be had", blocked: "the site blocks us", robots_denied: "forbidden by robots.txt", internal_error: "a fault of ours", finished: "finished" }[job.stop_reason];
  if (reason) return reason;
  return { pending: "waits for a worker", running: job.eta_seconds !== null ? `${span(job.eta_seconds)} left` : "running", paused: "paused" }[job.status] ?? "";
}


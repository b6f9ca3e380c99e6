// The service in figures and pictures.
import { html, useEffect } from "../app/ui.js";
import { get } from "../app/api.js";
import { useCell } from "../app/cell.js";
import { features } from "../app/features.js";
import { compact, count, percent, plural } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { isAdmin } from "../app/session.js";
import { Titlebar } from "../app/shell.js";
import { counts } from "../app/watch.js";
import { Waiting, Wrong } from "../parts/states.js";
import { STATES, stateWord } from "../parts/status.js";
import { Ago } from "../parts/time.js";

/** Milliseconds between two looks at what no event tells of. */
const AGAIN = 20_000;
const PARTS = { api: "API", store: "Store", crawler: "Crawler", redis: "Redis", mongodb: "MongoDB" };
const TONES = { pending: "plain", running: "info", paused: "warn", completed: "good", failed: "bad", cancelled: "plain" };

function useAgain(path) {
  const state = useLoad((signal) => get(path, {}, signal), [path]);
  useEffect(() => {
    const timer = setTimeout(() => { if (!document.hidden) state.reload(); }, AGAIN);
    return () => clearTimeout(timer);
  }, [state.data, state.error]);
  return state;
}

export function Monitoring() {
  const stats = useAgain("/monitoring/stats");
  const system = useAgain("/monitoring/system");
  const proxies = useAgain("/monitoring/proxies");
  const can = useCell(features);
  const now = useCell(counts);
  const figures = stats.data && { ...stats.data, ...(now ? { status_counts: now.status_counts, total_items_scraped: now.total_items_scraped } : {}) };
  const waiting = figures?.status_counts.pending ?? 0;
  return html`<${Titlebar} title="Monitoring" />
    ${stats.error && !stats.data && html`<div class="card"><${Wrong} error=${stats.error} onRetry=${stats.reload} /></div>`}
    ${figures ? html`<div class="card hero"><dl class="tiles"><${Tile} name="Jobs" value=${compact(figures.total_jobs)} note=${`${count(figures.jobs_last_24h)} in 24 hours`} />
      <${Tile} name="Rows" value=${compact(figures.total_items_scraped)} note="scraped in all" /><${Tile} name="Success" value=${`${figures.success_rate} %`} note="of jobs that ended" />
      <${Tile} name="Running" value=${count(figures.status_counts.running ?? 0)} note="now" /><${Tile} name="Queue" value=${count(waiting)} note=${waiting === 1 ? "job waits" : "jobs wait"} /></dl></div>` : !stats.error && html`<div class="card"><${Waiting} rows=${3} /></div>`}
    <div class="columns even">
      <section class="card padded stack" aria-label="Jobs by state"><h2>Jobs by state</h2>${figures && html`<${Shares} counts=${figures.status_counts} />`}</section>
      <section class="card padded stack" aria-label="Health"><h2>Health</h2>${system.error && !system.data ? html`<p class="bad">${system.error.message}</p>` : system.data ? html`<ul class="health">${Object.entries(PARTS).filter(([id]) => id in system.data).map(([id, name]) => html`<li key=${id}><span>${name}</span>
        <span class=${`status ${system.data[id]}`}><i></i>${{ healthy: "Healthy", unhealthy: "Does not answer", embedded: "Built in" }[system.data[id]] ?? system.data[id]}</span></li>`)}</ul><p class="faint">Looked at <${Ago} at=${system.data.timestamp} />.</p>` : html`<${Waiting} rows=${4} />`}</section>
      ${can.workers && isAdmin() && html`<${Workers} />`}
      <section class="card padded stack" aria-label="Proxies"><h2>Proxies</h2>${proxies.data?.total_proxies ? html`<ul class="health">${Object.entries(proxies.data.by_status).map(([id, one]) => html`<li key=${id}><span class=${`status ${id}`}><i></i>${id}</span><span class="figure">${count(one.count)}</span>
        <span class="soft figure">${one.avg_success_rate} % succeed</span></li>`)}</ul>` : html`<p class="soft">${proxies.error ? proxies.error.message : "The pool is empty: jobs go out directly, or by a proxy of their own."}</p>`}</section>
    </div>`;
}

const Tile = ({ name, value, note }) => html`<div><dt>${name}</dt><dd class="figure">${value}</dd><dd class="small">${note}</dd></div>`;

function Shares({ counts: by }) {
  const total = Object.values(by).reduce((sum, one) => sum + one, 0);
  if (!total) return html`<p class="soft">No jobs yet.</p>`;
  const present = STATES.filter((state) => by[state]);
  return html`<div class="shares" role="img" aria-label=${present.map((state) => `${stateWord(state)}: ${by[state]}`).join(", ")}>${present.map((state) => html`<i key=${state} class=${`tone ${TONES[state]} ${state}`} style=${{ flexGrow: by[state] }}></i>`)}</div>
    <ul class="health">${STATES.map((state) => html`<li key=${state}><a class=${`tone ${TONES[state]} ${state}`} href=${`/jobs?status=${state}`}><i></i>${stateWord(state)}</a><span class="figure">${count(by[state] ?? 0)}</span><span class="soft figure">${percent((by[state] ?? 0) / total)}</span></li>`)}</ul>`;
}

function Workers() {
  const { data, error } = useAgain("/monitoring/workers");
  const workers = data ?? [];
  return html`<section class="card padded stack" aria-label="Workers"><h2>Workers</h2>${error ? html`<p class="soft">${error.status === 403 ? "Shown to admins." : error.message}</p>` : !data ? html`<${Waiting} rows=${3} />`
    : workers.length === 0 ? html`<p class="soft">No worker has told of itself.</p>` : html`<ul class="health">${workers.map((one) => html`<li key=${one.id}><span class="cut" title=${one.id}>${one.host} <span class="faint mono">${one.pid}</span></span><span class="soft figure">${one.pages_per_second} pages/s</span><span class="soft figure">${plural(one.slices, "job")}</span></li>`)}</ul>`}</section>`;
}

// A job over time, how full its fields are, and why pages failed.
import { html, useEffect } from "../app/ui.js";
import { get, list } from "../app/api.js";
import { compact, count, percent, size, span } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { setQuery } from "../app/router.js";
import { Chart } from "../parts/chart.js";
import { Waiting, Wrong } from "../parts/states.js";
import { CHOICES, reasonWord } from "./job-parts.js";

/** Milliseconds between two readings while the job runs and somebody looks. */
const AGAIN = 10_000;
const FIRST_AGAIN = 2_500;

export function Overview({ job }) {
  const { data, error, reload } = useLoad((signal) => get(`/jobs/${job.id}/series`, { points: 120 }, signal), [job.id, job.status]);
  const points = data?.points ?? [];
  useEffect(() => {
    if (job.status !== "running") return undefined;
    const timer = setTimeout(() => { if (!document.hidden) reload(); }, points.length < 20 ? FIRST_AGAIN : AGAIN);
    return () => clearTimeout(timer);
  }, [data, job.status]);
  const bad = useLoad((signal) => list(`/jobs/${job.id}/errors`, { limit: 200 }, signal), [job.id, job.status, job.pages_failed > 0]);
  const fields = Object.entries(job.fill);
  return html`<div class="columns">
    <section class="card padded charts" aria-label="Over time">
      ${error && !data ? html`<${Wrong} error=${error} onRetry=${reload} />` : !data ? html`<${Waiting} rows=${5} />`
        : points.length === 0 ? html`<p class="soft">${job.started_at ? "No page was asked for." : "The charts begin when the job does."}</p>`
        : html`<${Course} points=${filled(points, data.seconds)} seconds=${data.seconds} />`}
    </section>
    <div class="stack">
      <section class="card" aria-label="Fields"><header><h2>Fields</h2><span class="faint">filled in</span></header>
        ${fields.length === 0 ? html`<p class="soft inset">No selectors: title, address and structured data of each page are kept.</p>`
          : html`<ul class="fill">${fields.map(([name, one]) => html`<li key=${name}><span class="cut mono" title=${name}>${name}</span>
            <span class=${`meter${job.items_scraped && one.rate < 0.5 ? " low" : ""}`} role="img" aria-label=${`${name} is filled in ${percent(one.rate)} of the rows`}><i style=${{ transform: `scaleX(${one.rate})` }}></i></span>
            <span class="figure">${job.items_scraped ? percent(one.rate) : "–"}</span></li>`)}</ul>`}</section>
      ${job.engines && html`<section class="card" aria-label="Engines"><header><h2>Engines</h2><span class="faint">chosen for each page</span></header>
        <ul class="reasons">${Object.entries(job.engines).flatMap(([engine, share]) => Object.entries(share.reasons).map(([why, pages]) => html`<li key=${engine + why}><b>${engine === "browser" ? "Rendered" : "Plain"}</b><span class="figure">${count(pages)}</span>
          <span class="cut faint">${CHOICES[why] ?? why.replaceAll("_", " ")}</span></li>`))}</ul></section>`}
      <section class="card" aria-label="Failed pages"><header><h2>Failed pages</h2>${bad.data?.total > 0 && html`<button type="button" class="linklike" onClick=${() => setQuery({ tab: "errors" })}>All ${count(bad.data.total)}</button>`}</header>
        ${!bad.data?.total ? html`<p class="soft inset">${bad.data ? "None." : bad.error ? bad.error.message : "…"}</p>`
          : html`<ul class="reasons">${grouped(bad.data.rows).slice(0, 6).map(([reason, rows]) => html`<li key=${reason}><b>${reasonWord(reason)}</b><span class="figure">${count(rows.length)}${bad.data.rows.length < bad.data.total ? "+" : ""}</span>
            <span class="cut faint">${rows[0].url}</span></li>`)}</ul>`}</section>
    </div></div>`;
}

/** @returns {[string, any[]][]} the most frequent first */
export function grouped(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.reason, [...(groups.get(row.reason) ?? []), row]);
  return [...groups].sort((one, two) => two[1].length - one[1].length);
}

/** Spans without a point had no page: they are drawn as nothing, not left out. */
function filled(points, seconds) {
  const byTime = new Map(points.map((point) => [point.at, point]));
  const all = [];
  for (let at = 0; at <= points.at(-1).at; at += seconds) all.push(byTime.get(at) ?? { at, pages: 0, ok: 0, redirected: 0, refused: 0, broken: 0, silent: 0, items: 0, bytes: 0, latency: 0, slowest: 0 });
  return all;
}

function Course({ points, seconds }) {
  const at = points.map((point) => point.at);
  const series = (name, tone, of) => ({ name, tone, values: points.map(of) });
  const rate = (value) => (value < 10 ? String(Math.round(value * 10) / 10) : compact(Math.round(value)));
  return html`
    <${Chart} title="Throughput" at=${at} seconds=${seconds} format=${rate} unit="/s" series=${[series("Pages", "info", (one) => one.pages / seconds), series("Rows", "accent", (one) => one.items / seconds)]} />
    <${Chart} title="Answers" at=${at} seconds=${seconds} stacked format=${rate} series=${[series("5xx", "bad", (one) => one.broken), series("4xx", "warn", (one) => one.refused), series("No answer", "plain", (one) => one.silent), series("3xx", "violet", (one) => one.redirected), series("2xx", "good", (one) => one.ok)]} />
    <${Chart} title="Time a page took" at=${at} seconds=${seconds} format=${span} series=${[series("Slowest", "plain", (one) => one.slowest), series("Average", "violet", (one) => one.latency)]} />
    <${Chart} title="Downloaded" at=${at} seconds=${seconds} format=${size} unit="/s" series=${[series("Bytes", "info", (one) => one.bytes / seconds)]} />`;
}

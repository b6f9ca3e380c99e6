// The list of jobs: live, filtered, acted on.
import { html, useEffect, useMemo, useRef, useState } from "../app/ui.js";
import { list, post } from "../app/api.js";
import { useCell } from "../app/cell.js";
import { compact, count, plural } from "../app/format.js";
import { useKeys } from "../app/keys.js";
import { useLoad, useStill } from "../app/load.js";
import { go, setQuery, usePlace } from "../app/router.js";
import { Titlebar } from "../app/shell.js";
import { changed, counts, live, onJob } from "../app/watch.js";
import { Button } from "../parts/button.js";
import { confirm } from "../parts/dialog.js";
import { Choice, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Pager } from "../parts/pager.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { STATES, stateWord } from "../parts/status.js";
import { tell, toast } from "../parts/toast.js";
import { JobRow } from "./job-row.js";

const LIMIT = 50;
/** Seconds between two readings of the list at least, however many jobs come and go. */
const CALM = 3_000;
const SORTS = [["-created_at", "Newest first"], ["created_at", "Oldest first"], ["-finished_at", "Last finished"], ["-items_scraped", "Most rows"], ["progress", "Least progress"], ["name", "Name"], ["status", "Status"]];

/** The rows as last read, with what was heard of since. */
function useJobs(query) {
  const { rows, ...rest } = useRows(query);
  const [, turn] = useState(0);
  useEffect(() => onJob(() => turn((before) => before + 1)), []);
  return { rows: rows?.map((job) => newer(job, changed.get(job.id))), ...rest };
}

const newer = (job, heard) => (heard && heard.pages_fetched + heard.pages_failed >= job.pages_fetched + job.pages_failed && !(job.finished_at && !heard.finished_at) ? heard : job);

function useRows(query) {
  const key = JSON.stringify(query);
  const { data, error, loading, reload } = useLoad((signal) => list("/jobs", query, signal), [key]);
  const seen = useCell(counts);
  const state = useRef({ first: true, timer: 0, last: 0 });
  // Jobs came or went: read again, but not for each.
  const mark = JSON.stringify(seen?.status_counts ?? null);
  useEffect(() => {
    const now = state.current;
    if (!seen) return undefined;
    if (now.first) { now.first = false; return undefined; }
    clearTimeout(now.timer);
    now.timer = setTimeout(() => { now.last = Date.now(); reload(); }, Math.max(150, now.last + CALM - Date.now()));
    return () => clearTimeout(now.timer);
  }, [mark]);
  return { rows: data?.rows, total: data?.total ?? 0, error, loading, reload };
}

export function Jobs() {
  const { query } = usePlace();
  const asked = { status: query.get("status") ?? "", q: query.get("q") ?? "", sort: query.get("sort") ?? "-created_at", tag: query.get("tag") ?? "", engine: query.get("engine") ?? "", priority: query.get("priority") ?? "", skip: Number(query.get("skip") ?? 0), limit: LIMIT };
  const [text, setText] = useState(asked.q);
  const still = useStill(text, 250);
  useEffect(() => { if (still !== asked.q) setQuery({ q: still, skip: 0 }); }, [still]);
  const { rows, total, error, loading, reload } = useJobs(asked);
  const seen = useCell(counts);
  const on = useCell(live);
  const [chosen, setChosen] = useState(() => new Set());
  const [at, setAt] = useState(-1);
  const search = useRef(null);
  const here = rows ?? [];
  const filtered = asked.status || asked.q || asked.tag || asked.engine || asked.priority;

  const choose = (id, add) => setChosen((before) => { const next = new Set(before); if (add) next.add(id); else next.delete(id); return next; });
  const all = here.length > 0 && here.every((job) => chosen.has(job.id));
  const chooseAll = (add) => setChosen(add ? new Set(here.map((job) => job.id)) : new Set());

  const act = async (action, ids = [...chosen]) => {
    const word = { cancel: "Cancel", delete: "Delete", pause: "Pause", resume: "Resume" }[action];
    if (action === "delete" && !(await confirm({ title: `Delete ${plural(ids.length, "job")}?`, text: "Jobs that are over go with all of their rows. Jobs that still run are cancelled, and stay.", action: "Delete" }))) return;
    if (action === "cancel" && ids.length > 1 && !(await confirm({ title: `Cancel ${plural(ids.length, "job")}?`, text: "They stop within two seconds. What they scraped so far stays.", action: "Cancel them" }))) return;
    const answer = await tell(post("/jobs/bulk", { action, ids }));
    if (!answer) return;
    const { done, refused } = answer;
    if (done) toast(`${word}: ${plural(done, "job")}`);
    if (refused.length) toast(`${plural(refused.length, "job")} left as before: ${refused[0].detail}`, "wrong");
    setChosen(new Set());
    reload();
  };
  const move = (step) => {
    const next = Math.max(0, Math.min(here.length - 1, at + step));
    setAt(next);
    document.querySelector(`[data-row="${next}"]`)?.scrollIntoView({ block: "nearest" });
  };
  useKeys([
    { keys: "/", what: "Search", act: () => search.current?.querySelector("input").focus() },
    { keys: "j", what: "Next job", act: () => move(1) },
    { keys: "k", what: "Previous job", act: () => move(-1) },
    { keys: "Enter", what: "Open the job", act: () => here[at] && go(`/jobs/${here[at].id}`) },
    { keys: "x", what: "Select the job", act: () => here[at] && choose(here[at].id, !chosen.has(here[at].id)) },
  ], [here, at, chosen]);

  const everything = seen ? Object.values(seen.status_counts).reduce((sum, one) => sum + one, 0) : undefined;
  const more = [asked.engine, asked.priority, asked.tag].filter(Boolean).length;
  return html`
    <${Titlebar} title="Jobs"><span class=${`live${on ? " on" : ""}`} title=${on ? "What is shown follows the jobs" : "Connecting"}><i></i>${on ? "Live" : "Connecting"}</span><//>
    <div class="chips" role="group" aria-label="Status">
      ${["", ...STATES].map((one) => html`<button key=${one} type="button" aria-pressed=${asked.status === one ? "true" : "false"} onClick=${() => { setQuery({ status: one, skip: 0 }); setChosen(new Set()); }}>
        ${one ? stateWord(one) : "All"}<b>${seen ? compact(one ? seen.status_counts[one] ?? 0 : everything) : ""}</b></button>`)}</div>
    <section class="card jobs" aria-label="Jobs">
      <div class="toolbar">
        <div class="search" ref=${search}><${Icon} name="search" /><input type="search" aria-label="Search name and URL" placeholder="Search name or URL" value=${text} onInput=${(event) => setText(event.target.value)} onKeyDown=${(event) => { if (event.key === "Enter") { event.preventDefault(); event.target.blur(); setAt(0); } }} /><kbd>/</kbd></div>
        <select aria-label="Sort" onChange=${(event) => setQuery({ sort: event.target.value === "-created_at" ? "" : event.target.value, skip: 0 })}>
          ${SORTS.map(([id, name]) => html`<option key=${id} value=${id} selected=${id === asked.sort}>${name}</option>`)}</select>
        <${Menu} label="More filters" icon="list" kind="plain" text=${more ? `Filters (${more})` : "Filters"}>
          <${Choice} label="Engine" value=${asked.engine} options=${[["", "Any"], ["auto", "Auto"], ["http", "HTTP"], ["browser", "Browser"], ["scrapy", "Scrapy"]]} onChange=${(engine) => setQuery({ engine, skip: 0 })} />
          <${Choice} label="Priority" value=${asked.priority} options=${[["", "Any"], ["high", "High"], ["normal", "Normal"], ["low", "Low"]]} onChange=${(priority) => setQuery({ priority, skip: 0 })} />
          <${Text} label="Tag" value=${asked.tag} onInput=${(tag) => setQuery({ tag, skip: 0 })} /><//>
        <span class="push"></span>
        <${Pager} skip=${asked.skip} limit=${LIMIT} total=${total} onSkip=${(skip) => setQuery({ skip })} />
      </div>
      ${chosen.size > 0 && html`<div class="bulk" role="toolbar" aria-label="Selected jobs"><b>${plural(chosen.size, "job")} selected</b>
        <${Button} small icon="pause" onClick=${() => act("pause")}>Pause<//><${Button} small icon="play" onClick=${() => act("resume")}>Resume<//>
        <${Button} small icon="stop" onClick=${() => act("cancel")}>Cancel<//><${Button} small icon="trash" onClick=${() => act("delete")}>Delete<//>
        <${Button} small kind="quiet" onClick=${() => setChosen(new Set())}>Clear<//></div>`}
      ${error && !rows ? html`<${Wrong} error=${error} onRetry=${reload} />`
        : !rows ? html`<${Waiting} rows=${9} />`
        : here.length === 0 ? html`<${Nothing} filtered=${filtered} onClear=${() => { setText(""); go("/jobs", { replace: true }); }} />`
        : html`${error && html`<div class="note warn inset"><${Icon} name="warn" /><div>${error.message} What is shown may be old.</div></div>`}
        <table class=${`table jobs-table${loading ? " loading" : ""}`}><thead><tr>
          <th><input type="checkbox" aria-label="Select all jobs of this page" checked=${all} onChange=${(event) => chooseAll(event.target.checked)} /></th>
          <th>Job</th><th>Status</th><th class="wide-only">Progress</th><th class="right wide-only">Pages/s</th><th class="right">Rows</th><th class="right wide-only">Errors</th><th class="wide-only">Created</th><th><span class="hidden">Actions</span></th></tr></thead>
          <tbody>${here.map((job, place) => html`<${JobRow} key=${job.id} job=${job} place=${place} active=${place === at} chosen=${chosen.has(job.id)} onChoose=${choose} onAct=${act} />`)}</tbody></table>`}
    </section>
    ${seen && html`<p class="faint figure">${count(seen.total_items_scraped)} rows scraped by ${plural(everything, "job")}.</p>`}`;
}

const Nothing = ({ filtered, onClear }) => (filtered
  ? html`<${Empty} icon="search" title="No job matches" action=${html`<${Button} onClick=${onClear}>Show all jobs<//>`}>Try another word, or fewer filters.<//>`
  : html`<${Empty} icon="target" title="No jobs yet" action=${html`<${Button} kind="primary" icon="plus" href="/new">Build the first one<//>`}>
      Give an address, click on what you want from the page, and take the rows. To try it without a site of your own, run <code>scrapemaster demo-site</code>.<//>`);

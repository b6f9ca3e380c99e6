// A new job: the page, the fields, the rows, the order.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../app/ui.js";
import { get, patch, post } from "../app/api.js";
import { useCell } from "../app/cell.js";
import { features } from "../app/features.js";
import { useLoad } from "../app/load.js";
import { go, usePlace } from "../app/router.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Code } from "../parts/code.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { Tabs } from "../parts/tabs.js";
import { toast } from "../parts/toast.js";
import { asCurl, asJson, asPython } from "../workbench/code.js";
import { configOf, draftOf, empty, fieldOf, freeName, guessName, orderOfDraft, scheduleOfDraft, takenBy, taking, tone, usualTake, usualTransform } from "../workbench/draft.js";
import { Fields } from "../workbench/fields.js";
import { Options } from "../workbench/options.js";
import { Rows, usePreviews } from "../workbench/rows.js";
import { pagingOf, samplesOf } from "../workbench/samples.js";
import { Stage } from "../workbench/stage.js";
import { orderOf } from "./job-parts.js";

/** What the page begins with: nothing, a job to do again, a schedule to change. */
async function beginning(query, signal) {
  const from = query.get("from");
  if (from) return draftOf(orderOf(await get(`/jobs/${from}`, {}, signal)));
  const schedule = query.get("schedule");
  if (schedule) {
    const found = await get(`/schedules/${schedule}`, {}, signal);
    return { ...draftOf(found.job), scheduled: true, cron: found.cron, timezone: found.timezone, name: found.name ?? found.job.name ?? "", schedule };
  }
  return empty(query.get("url") ?? "");
}

export function New() {
  const { query } = usePlace();
  const begun = useLoad((signal) => beginning(query, signal), [query.get("from"), query.get("schedule")]);
  if (begun.error) return html`<${Titlebar} title="New job" /><div class="note bad" role="alert"><${Icon} name="warn" /><div>${begun.error.message}</div></div>`;
  return begun.data ? html`<${Bench} key=${query.toString()} first=${begun.data} />` : html`<${Titlebar} title="New job" />`;
}

function Bench({ first }) {
  const [draft, setDraft] = useState(first);
  const [look, setLook] = useState({ page: null, loading: false, error: null });
  const [counts, setCounts] = useState({});
  const [notice, setNotice] = useState("");
  const [pages, setPages] = useState([]);
  const [form, setForm] = useState("curl");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [secret, setSecret] = useState(null);
  const command = useRef(null);
  const stop = useRef(null);
  const can = useCell(features);
  const change = useCallback((changes) => { setDraft((before) => ({ ...before, ...changes })); setProblem(null); }, []);

  const load = async () => {
    const url = /^https?:\/\//i.test(draft.url.trim()) ? draft.url.trim() : draft.url.trim() && `https://${draft.url.trim()}`;
    if (!url) return;
    change({ url });
    stop.current?.abort();
    stop.current = new AbortController();
    setLook({ page: null, loading: true, error: null });
    setNotice("");
    try {
      const { item: _item, follow_links: _links, max_pages: _pages, ...config } = configOf(draft);
      const page = await post("/extract/page", { url, engine: draft.engine, config }, { signal: stop.current.signal });
      setLook({ page, loading: false, error: null });
      setPages(page.error ? [] : [url, ...samplesOf(page.url, page.links)]);
    } catch (error) {
      if (error.name !== "AbortError") setLook({ page: null, loading: false, error });
    }
  };
  useEffect(() => { if (first.url) load(); return () => stop.current?.abort(); }, []);

  const picked = (message) => setDraft((before) => {
    if (message.type === "dropped") return { ...before, fields: before.fields.filter((one) => one.pick !== message.id) };
    const take = usualTake(message);
    const transform = usualTransform(take, message);
    const field = { ...fieldOf(freeName(guessName(message), before.fields), taking(message.css, take)), transform, about: message, pick: message.id };
    return { ...before, fields: [...before.fields, field] };
  });
  const listed = (message) => setDraft((before) => {
    const inside = new Map(message.fields.map((one) => [one.from, one.css]));
    const fields = before.fields.flatMap((field) => {
      if (!field.pick) return [field];
      const css = inside.get(field.pick);
      return css === null || css === undefined ? [] : [{ ...field, pick: undefined, selector: taking(css, takenBy(field).take) }];
    });
    return { ...before, item: message.item, fields };
  });
  const onPick = (message) => {
    if (message.type === "picked") {
      setNotice(draft.item ? `Found in ${message.hits} of ${message.count} rows.` : message.count === 1 ? "One match. Click a second one like it to make a list." : `The first of ${message.count}. Click a second one like it to make a list.`);
      picked(message);
    } else if (message.type === "list") {
      setNotice(`A list of ${message.count}. Click what else you want of each.`);
      listed(message);
    } else if (message.type === "outside") setNotice("That is outside of the list's rows. Clear “One row for each” to choose it.");
    else if (message.type === "dropped") picked(message);
  };
  const marks = useMemo(() => ({ item: draft.item, fields: draft.fields.map((field, place) => ({ name: field.name, css: takenBy(field).css, tone: tone(place) })) }), [draft.item, draft.fields]);
  const previews = usePreviews(draft, pages);
  const matches = previews[pages[0]]?.preview?.matches ?? {};
  const firstRow = previews[pages[0]]?.preview?.items[0] ?? {};
  const links = look.page?.links ?? [];
  const paging = useMemo(() => (look.page?.url && !look.page.error ? pagingOf(look.page.url, links) : ""), [look.page]);
  const order = draft.scheduled ? scheduleOfDraft(draft) : orderOfDraft(draft);
  const path = draft.scheduled ? "/schedules" : "/jobs";

  const send = async () => {
    setBusy(true);
    try {
      const made = draft.schedule && draft.scheduled ? await patch(`/schedules/${draft.schedule}`, order) : await post(path, order);
      const to = draft.scheduled ? `/schedules/${made.id}` : `/jobs/${made.id}`;
      toast(draft.scheduled ? "The schedule is set" : "The job is on its way");
      if (made.webhook_secret) setSecret({ text: made.webhook_secret, to });
      else go(to);
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  const action = draft.scheduled ? (draft.schedule ? "Save the schedule" : "Set the schedule") : "Start the job";

  return html`
    <${Titlebar} title=${draft.schedule ? "Change a schedule" : "New job"}>
      <${Button} kind="primary" icon=${draft.scheduled ? "clock" : "play"} busy=${busy} disabled=${!draft.url.trim()} onClick=${send}>${action}<//><//>
    ${problem && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${problem.problems.length > 1 ? html`<ul>${problem.problems.map((one) => html`<li>${one.loc.filter((part) => part !== "body").join(".")}: ${one.msg}</li>`)}</ul>` : problem.message}</div></div>`}
    <form class="addressbar" onSubmit=${(event) => { event.preventDefault(); load(); }}>
      <div class="search big"><${Icon} name="globe" /><input type="text" inputmode="url" aria-label="Address of the page" placeholder="https://example.com/products" value=${draft.url} autocapitalize="none" spellcheck="false" autofocus=${!first.url} onInput=${(event) => change({ url: event.target.value })} /></div>
      <select aria-label="Engine" onChange=${(event) => change({ engine: event.target.value })}>${[["auto", "Auto"], ["http", "HTTP"], ...(can.browser ? [["browser", "Browser"]] : []), ...(can.scrapy ? [["scrapy", "Scrapy"]] : [])].map(([id, name]) => html`<option key=${id} value=${id} selected=${id === draft.engine}>${name}</option>`)}</select>
      <${Button} type="submit" busy=${look.loading} icon="target">Load the page<//></form>
    <div class="bench">
      <${Stage} look=${look.page} loading=${look.loading} error=${look.error} marks=${marks} onPick=${onPick} onCounts=${setCounts} command=${command} onRetry=${load} />
      <${Fields} draft=${draft} counts=${look.page?.html ? counts : {}} matches=${matches} first=${firstRow} notice=${notice} onChange=${change} onFlash=${(css) => command.current?.({ type: "flash", css })} />
    </div>
    <${Rows} pages=${pages} links=${links} previews=${previews} fields=${draft.fields} onPage=${(place, page) => setPages(pages.map((one, index) => (index === place ? page : one)))} />
    <${Options} draft=${draft} paging=${paging} onChange=${change} can=${can} />
    <section class="card padded stack" aria-label="The same as a request"><div class="between"><h2>The same as a request</h2></div>
      <${Tabs} label="Language" tabs=${[{ id: "curl", name: "curl" }, { id: "python", name: "Python" }, { id: "json", name: "JSON" }]} chosen=${form} onChoose=${setForm} />
      <${Code} label=${`The order as ${form}`} text=${form === "json" ? asJson(order) : form === "curl" ? asCurl(order, path) : asPython(order, path)} /></section>
    ${secret && html`<${Dialog} title="The webhook's secret" onClose=${() => go(secret.to)} footer=${html`<${Button} kind="primary" onClick=${() => go(secret.to)}>I have it<//>`}>
      <p>Messages are signed with it. It is not shown again.</p><${Code} label="Secret" text=${secret.text} /><//>`}`;
}

// How the job crawls, when, and who is told.
import { html } from "../app/ui.js";
import { Check, Choice, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";

const lines = (list) => (list ?? []).join("\n");
const listed = (text) => text.split("\n").map((one) => one.trim()).filter(Boolean);
const number = (text) => (text.trim() === "" ? "" : Number(text));
const EVENTS = ["job.started", "job.completed", "job.failed", "job.cancelled", "job.paused", "item.batch"];
const FORMATS = ["data", "markdown", "html", "links", "structured"];
export const CRONS = [["0 * * * *", "every hour"], ["0 6 * * *", "every day at 6:00"], ["0 6 * * 1-5", "weekdays at 6:00"], ["0 6 * * 1", "Mondays at 6:00"], ["0 6 1 * *", "the first of the month"]];

/** @param {{draft: any, paging: string, onChange: (changes: object) => void, can: any, scheduleOnly?: boolean}} props */
export function Options({ draft, paging, onChange, can }) {
  const { config } = draft;
  const set = (changes) => onChange({ config: { ...config, ...changes } });
  const setBrowser = (changes) => {
    const browser = Object.fromEntries(Object.entries({ ...config.browser, ...changes }).filter(([, value]) => value !== "" && value !== false));
    set({ browser: Object.keys(browser).length ? browser : null });
  };
  const pairs = (value) => (typeof value === "string" ? value : Object.entries(value ?? {}).map(([name, one]) => `${name}: ${one}`).join("\n"));
  const paired = (text) => Object.fromEntries(text.split("\n").map((line) => line.split(/:(.*)/s).slice(0, 2).map((part) => part.trim())).filter(([name, value]) => name && value !== undefined));
  const followsList = paging && config.follow_links && (config.include ?? []).includes(paging);
  return html`<div class="options">
    <${Part} icon="link" title="Pages and limits" note=${limits(draft)} open>
      ${paging && html`<div class="full"><${Check} label="Follow the further pages of this list" hint=${html`Links like <code>${paging}</code>`} checked=${followsList}
        onChange=${(on) => set(on ? { follow_links: true, include: [paging], exclude: [`${paging}`.replace(/\*$/, "1")] } : { follow_links: false, include: [], exclude: [] })} /></div>`}
      <div class="full"><${Check} label="Follow links" hint="The pages that the page links to, and so on, on the same site" checked=${config.follow_links ?? false} onChange=${(follow_links) => set({ follow_links })} /></div>
      <${Text} label="Pages at most" type="number" min="1" value=${config.max_pages ?? ""} placeholder=${config.follow_links ? "100" : "1"} onInput=${(text) => set({ max_pages: number(text) })} />
      ${config.follow_links && html`<${Text} label="Links deep at most" type="number" min="0" value=${config.max_depth ?? ""} placeholder="no limit" onInput=${(text) => set({ max_depth: number(text) })} />
      <${Area} label="Only links like" hint="One glob a line, such as */product/*" value=${lines(config.include)} onInput=${(text) => set({ include: listed(text) })} />
      <${Area} label="No links like" hint="One glob a line" value=${lines(config.exclude)} onInput=${(text) => set({ exclude: listed(text) })} />`}
      <${Text} label="Pages at once" type="number" min="1" max="256" value=${config.concurrency ?? ""} placeholder="8" onInput=${(text) => set({ concurrency: number(text) })} />
      <${Text} label="Seconds between two requests" type="number" min="0" step="0.1" value=${config.delay ?? ""} placeholder="0" onInput=${(text) => set({ delay: number(text) })} />
      <${Text} label="Seconds for the job at most" type="number" min="1" value=${config.max_duration ?? ""} placeholder="no limit" onInput=${(text) => set({ max_duration: number(text) })} />
      <div class="full"><${Area} label="More addresses to start at" hint="One a line" value=${draft.more} onInput=${(more) => onChange({ more })} /></div>
    <//>
    <${Part} icon="edit" title="Name and order" note=${draft.name || "no name"}>
      <${Text} label="Name" value=${draft.name} hint="Jobs of one name are compared with each other" maxlength="200" onInput=${(name) => onChange({ name })} />
      <${Text} label="Tags" value=${draft.tags} hint="Separated by commas" onInput=${(tags) => onChange({ tags })} />
      <${Choice} label="Priority" value=${draft.priority} options=${[["low", "Low"], ["normal", "Normal"], ["high", "High"]]} onChange=${(priority) => onChange({ priority })} />
    <//>
    <${Part} icon="clock" title="Schedule" note=${draft.scheduled ? `${draft.cron} ${draft.timezone}` : "once, now"} open=${draft.scheduled}>
      <div class="full"><${Check} label="Run again and again" hint="What is new, changed and gone is shown for each run" checked=${draft.scheduled} onChange=${(scheduled) => onChange({ scheduled })} /></div>
      ${draft.scheduled && html`<${Choice} label="When" value=${CRONS.some(([id]) => id === draft.cron) ? draft.cron : ""} options=${[...CRONS, ["", "as written beside"]]} onChange=${(cron) => cron && onChange({ cron })} />
      <${Text} label="Cron expression" class="mono" value=${draft.cron} hint="Minute, hour, day, month, day of week" onInput=${(cron) => onChange({ cron })} />
      <${Text} label="Time zone" value=${draft.timezone} onInput=${(timezone) => onChange({ timezone })} />`}
    <//>
    <${Part} icon="send" title="Webhook" note=${draft.hookUrl || "nobody is told"}>
      <div class="full"><${Text} label="Address" type="url" value=${draft.hookUrl} placeholder="https://your-app.example/hook" hint="For this job alone. The signing secret is shown once, when the job is made." onInput=${(hookUrl) => onChange({ hookUrl })} /></div>
      ${draft.hookUrl && html`<fieldset class="full"><legend>Events</legend><div class="checks">${EVENTS.map((event) => html`<${Check} key=${event} label=${event} checked=${draft.hookEvents.includes(event)}
        onChange=${(on) => onChange({ hookEvents: on ? [...draft.hookEvents, event] : draft.hookEvents.filter((one) => one !== event) })} />`)}</div></fieldset>`}
    <//>
    <${Part} icon="server" title="Requests" note=${config.impersonate || config.user_agent || (config.respect_robots === false ? "robots.txt is not obeyed" : "robots.txt is obeyed")}>
      <${Text} label="Browser imitated" value=${config.impersonate ?? ""} placeholder="none" hint="Such as chrome137" onInput=${(impersonate) => set({ impersonate: impersonate || null })} />
      <${Text} label="User agent" value=${config.user_agent ?? ""} placeholder="ScrapeMaster's own" onInput=${(user_agent) => set({ user_agent: user_agent || null })} />
      <${Text} label="Proxy" value=${config.proxy ?? ""} placeholder="none" hint=${can.proxies ? "pool, or a proxy's address" : "A proxy's address"} onInput=${(proxy) => set({ proxy })} />
      <${Text} label="Seconds for a page" type="number" min="1" value=${config.timeout ?? ""} placeholder="30" onInput=${(text) => set({ timeout: number(text) })} />
      <${Text} label="Further tries" type="number" min="0" max="20" value=${config.max_retries ?? ""} placeholder="3" onInput=${(text) => set({ max_retries: number(text) })} />
      <${Area} label="Headers" hint="Name: value, one a line" value=${pairs(config.headers)} onChange=${(text) => set({ headers: paired(text) })} />
      <${Area} label="Cookies" hint="Name: value, one a line" value=${pairs(config.cookies)} onChange=${(text) => set({ cookies: paired(text) })} />
      <div class="full checks"><${Check} label="Obey robots.txt" checked=${config.respect_robots !== false} onChange=${(on) => set({ respect_robots: on })} />
        <${Check} label="Refuse invalid certificates" checked=${config.verify_tls !== false} onChange=${(on) => set({ verify_tls: on })} />
        <${Check} label="Read sitemaps" checked=${config.sitemap ?? false} onChange=${(sitemap) => set({ sitemap })} /></div>
    <//>
    ${(draft.engine === "browser" || (draft.engine === "auto" && can.browser)) && html`<${Part} icon="image" title="Browser" note=${config.browser?.screenshot ? "with screenshots" : draft.engine === "auto" ? "where a page needs it" : "no screenshots"} open=${draft.engine === "browser"}>
      ${draft.engine === "auto" && html`<p class="full soft">Auto asks plainly first, and renders the pages that need it. Whatever only a browser does has all of them rendered.</p>`}
      <${Choice} label="A page is there" value=${config.browser?.wait_until ?? ""} options=${[["", "as usual"], ["domcontentloaded", "when it is parsed"], ["load", "when it is loaded"], ["settled", "when it has stopped loading"], ["networkidle", "when nothing is asked for any more"]]} onChange=${(text) => setBrowser({ wait_until: text })} />
      <${Text} label="And has" value=${typeof config.browser?.wait_for === "string" ? config.browser.wait_for : ""} placeholder=".product" hint="A selector to wait for" class="mono" onInput=${(text) => setBrowser({ wait_for: text })} />
      <${Choice} label="Screenshot" value=${String(config.browser?.screenshot || "")} options=${[["", "none"], ["viewport", "of the window"], ["full", "of the whole page"]]} onChange=${(text) => setBrowser({ screenshot: text })} />
      <div class="full checks"><${Check} label="Scroll to the end" checked=${Boolean(config.browser?.scroll)} onChange=${(on) => setBrowser({ scroll: on })} /><${Check} label="Keep a PDF of each page" checked=${Boolean(config.browser?.pdf)} onChange=${(on) => setBrowser({ pdf: on })} /></div>
    <//>`}
    <${Part} icon="book" title="What is kept" note=${(config.formats ?? ["data"]).join(", ")}>
      <fieldset class="full"><legend>Of each page</legend><div class="checks">${FORMATS.map((format) => html`<${Check} key=${format} label=${format} checked=${(config.formats ?? ["data"]).includes(format)}
        onChange=${(on) => { const now = config.formats ?? ["data"]; const next = on ? [...now, format] : now.filter((one) => one !== format); set({ formats: next.length === 1 && next[0] === "data" ? null : next.length ? next : null }); }} />`)}</div></fieldset>
      <div class="full"><${Check} label="Only rows of new and changed pages" hint="Compared with the last job of the same name" checked=${config.incremental ?? false} onChange=${(incremental) => set({ incremental })} /></div>
    <//></div>`;
}

const limits = ({ config }) => `${config.follow_links ? "follows links" : "this page"}, ${config.max_pages || (config.follow_links ? 100 : 1)} ${Number(config.max_pages || (config.follow_links ? 100 : 1)) === 1 ? "page" : "pages"} at most`;

const Part = ({ icon, title, note, open, children }) => html`<details class="card option" open=${open}><summary><${Icon} name=${icon} /><b>${title}</b><span class="cut faint">${note}</span><${Icon} name="caret" size=${14} /></summary><div class="form">${children}</div></details>`;

let last = 0;
const ids = new WeakMap();
function Area({ label, hint, value, onInput, onChange }) {
  let id = ids.get(this);
  if (!id) ids.set(this, (id = `area-${++last}`));
  return html`<div class="field"><label for=${id}>${label}</label><textarea id=${id} class="mono" rows="3" value=${value} aria-describedby=${`${id}-hint`} spellcheck="false"
    onInput=${onInput && ((event) => onInput(event.target.value))} onChange=${onChange && ((event) => onChange(event.target.value))}></textarea><p class="hint" id=${`${id}-hint`}>${hint}</p></div>`;
}

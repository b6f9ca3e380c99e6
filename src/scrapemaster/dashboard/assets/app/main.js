// The start: who is there, and which page it is.
import { html, render, useEffect } from "./ui.js";
import { useCell } from "./cell.js";
import { session } from "./session.js";
import { go, usePlace } from "./router.js";
import { learn } from "./features.js";
import { unwatch, watch } from "./watch.js";
import { Shell, Titlebar } from "./shell.js";
import { Boundary } from "./boundary.js";
import { SignIn } from "../pages/sign-in.js";
import { Jobs } from "../pages/jobs.js";
import { Job } from "../pages/job.js";
import { New } from "../pages/new.js";
import { Schedules } from "../pages/schedules.js";
import { Schedule } from "../pages/schedule.js";
import { Webhooks } from "../pages/webhooks.js";
import { Webhook } from "../pages/webhook.js";
import { Monitoring } from "../pages/monitoring.js";
import { Proxies } from "../pages/proxies.js";
import { Admin } from "../pages/admin.js";
import { Account } from "../pages/account.js";
import { Empty } from "../parts/states.js";
import { Button } from "../parts/button.js";

const PAGES = [
  [/^\/(jobs)?$/, Jobs],
  [/^\/jobs\/([^/]+)$/, Job],
  [/^\/new$/, New],
  [/^\/schedules$/, Schedules],
  [/^\/schedules\/([^/]+)$/, Schedule],
  [/^\/webhooks$/, Webhooks],
  [/^\/webhooks\/([^/]+)$/, Webhook],
  [/^\/monitoring$/, Monitoring],
  [/^\/proxies$/, Proxies],
  [/^\/admin$/, Admin],
  [/^\/account$/, Account],
];

const Lost = () => html`<${Titlebar} title="Not found" /><${Empty} icon="search" title="There is no such page" action=${html`<${Button} href="/jobs">To the jobs<//>`}>The address may be mistyped.<//>`;

function App() {
  const now = useCell(session);
  const { path } = usePlace();
  useEffect(() => {
    if (!now) { unwatch(); return; }
    watch();
    learn();
  }, [now?.token]);
  useEffect(() => {
    if (!now && path !== "/sign-in") go(`/sign-in${path === "/" ? "" : `?next=${encodeURIComponent(location.pathname + location.search)}`}`, { replace: true });
    else if (now && path === "/sign-in") go(new URLSearchParams(location.search).get("next")?.match(/^\/(?!\/)[^\\]*$/)?.[0] ?? "/jobs", { replace: true });
  }, [now, path]);
  if (!now) return html`<${SignIn} />`;
  for (const [pattern, Page] of PAGES) {
    const match = pattern.exec(path);
    if (match) return html`<${Shell}><${Boundary} key=${path}><${Page} id=${match[1]} /><//><//>`;
  }
  return html`<${Shell}><${Lost} /><//>`;
}

render(html`<${App} />`, document.getElementById("app"));

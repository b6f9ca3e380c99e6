// What stands around every page.
import { html, useEffect, useRef, useState } from "./ui.js";
import { useCell } from "./cell.js";
import { session, setSession } from "./session.js";
import { post } from "./api.js";
import { counts } from "./watch.js";
import { go, usePlace } from "./router.js";
import { shortcuts, useKeys } from "./keys.js";
import { setTheme, theme } from "./theme.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Toasts } from "../parts/toast.js";
import { features } from "./features.js";

const ICON = new URL("../icon.svg", import.meta.url).href;

/** @type {{to: string, name: string, icon: string, key: string, admin?: boolean, needs?: "proxies"}[]} */
const PLACES = [
  { to: "/jobs", name: "Jobs", icon: "jobs", key: "j" },
  { to: "/schedules", name: "Schedules", icon: "clock", key: "s" },
  { to: "/webhooks", name: "Webhooks", icon: "send", key: "w" },
  { to: "/monitoring", name: "Monitoring", icon: "chart", key: "m" },
  { to: "/proxies", name: "Proxies", icon: "globe", key: "p", admin: true, needs: "proxies" },
  { to: "/admin", name: "Users", icon: "users", key: "u", admin: true },
  { to: "/account", name: "Account & keys", icon: "key", key: "a" },
];

export const Brand = () => html`<a class="brand" href="/"><img src=${ICON} alt="" />ScrapeMaster</a>`;

export async function signOut() {
  await post("/auth/logout").catch(() => {});
  setSession(null);
  go("/sign-in");
}

export function ThemeMenu() {
  const chosen = useCell(theme);
  const entry = (id, name, icon) => ({ name, icon, act: () => setTheme(id), hint: chosen === id ? "✓" : "" });
  return html`<${Menu} label="Theme" small icon=${{ light: "sun", dark: "moon" }[chosen] ?? "system"}
    entries=${[entry("light", "Light", "sun"), entry("dark", "Dark", "moon"), entry("system", "As the system", "system")]} />`;
}

/** @param {{children: any}} props */
export function Shell({ children }) {
  const { path } = usePlace();
  const { user } = useCell(session);
  const running = useCell(counts)?.status_counts.running ?? 0;
  const can = useCell(features);
  const [open, setOpen] = useState(false);
  const [help, setHelp] = useState(false);
  const main = useRef(null);
  const shown = PLACES.filter((one) => (!one.admin || user?.role === "admin") && (!one.needs || can[one.needs]));
  const here = (to) => path.startsWith(to) || (to === "/jobs" && path === "/");
  useEffect(() => setOpen(false), [path]);
  useKeys([
    { keys: "n", what: "New job", act: () => go("/new") },
    { keys: "?", what: "These shortcuts", act: () => setHelp(true) },
    ...shown.map((one) => ({ keys: `g ${one.key}`, what: `Go to ${one.name}`, act: () => go(one.to) })),
  ], [user, can]);

  return html`<div class="shell">
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>Skip to the page</a>
    <div class="topbar"><${Button} kind="quiet" icon="menu" label="Menu" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(true)} /><${Brand} />
      <${Button} kind="primary" icon="plus" label="New job" href="/new" small /></div>
    ${open && html`<button class="veil" aria-label="Close the menu" onClick=${() => setOpen(false)}></button>`}
    <nav class=${`side${open ? " open" : ""}`} aria-label="Main" onKeyDown=${(event) => event.key === "Escape" && setOpen(false)}>
      <${Brand} />
      <${Button} kind="primary" icon="plus" href="/new" class="button primary new">New job<//>
      ${shown.map((one) => html`<a key=${one.to} class="go" href=${one.to} aria-current=${here(one.to) ? "page" : undefined}>
        <${Icon} name=${one.icon} />${one.name}${one.to === "/jobs" && running > 0 && html`<span class="count" title="running">${running}</span>`}</a>`)}
      <div class="push"></div>
      <a class="go" href="/api/docs" target="_blank" rel="noopener"><${Icon} name="book" />API</a>
      <div class="who"><span class="avatar" aria-hidden="true">${(user?.username ?? "?").slice(0, 1).toUpperCase()}</span>
        <span class="cut" title=${user?.username}>${user?.username}</span><${ThemeMenu} />
        <${Button} kind="quiet" small icon="out" label="Sign out" onClick=${signOut} /></div>
    </nav>
    <main class="main" id="main" ref=${main} tabindex="-1">${children}</main>
    <${Toasts} />
    ${help && html`<${Dialog} title="Keyboard" onClose=${() => setHelp(false)}><table class="table"><tbody>
      ${shortcuts().map((one) => html`<tr key=${one.keys}><td>${one.keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</td><td>${one.what}</td></tr>`)}</tbody></table><//>`}
  </div>`;
}

/** The line above a page. @param {{title: any, children?: any}} props */
export function Titlebar({ title, children }) {
  useEffect(() => { if (typeof title === "string") document.title = `${title} · ScrapeMaster`; }, [title]);
  return html`<div class="titlebar"><h1>${title}</h1>${children}</div>`;
}

// A button that opens a list of things to do.
import { html, useEffect, useRef, useState } from "../app/ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/** @typedef {{name: string, icon?: string, act?: () => void, href?: string, danger?: boolean, hint?: string} | null | false} Entry */

/** @param {{label: string, icon?: string, text?: string, kind?: string, entries: Entry[], small?: boolean}} props */
export function Menu({ label, icon = "more", text, kind = "quiet", entries, small, children }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => { if (!box.current?.contains(event.target)) setOpen(false); };
    document.addEventListener("pointerdown", away);
    box.current.querySelector("[role=menuitem], .panel input, .panel select")?.focus();
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const keys = (event) => {
    if (event.key === "Escape" && open) {
      event.preventDefault();
      setOpen(false);
      box.current.querySelector("button")?.focus();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (open && step && !children) {
      event.preventDefault();
      const items = [...box.current.querySelectorAll("[role=menuitem]")];
      items[(items.indexOf(document.activeElement) + step + items.length) % items.length]?.focus();
    }
  };
  const chosen = (entry) => { setOpen(false); entry.act?.(); };
  return html`<div class="menu" ref=${box} onKeyDown=${keys}>
    <${Button} kind=${kind} icon=${icon} small=${small} label=${text ? undefined : label} aria-haspopup=${children ? "dialog" : "menu"} aria-expanded=${open ? "true" : "false"}
      onClick=${() => setOpen(!open)}>${text}<//>
    ${open && (children
      ? html`<div class="panel" role="dialog" aria-label=${label}>${children}</div>`
      : html`<div class="panel list" role="menu" aria-label=${label}>${entries.filter(Boolean).map((entry) => entry.href
        ? html`<a key=${entry.name} role="menuitem" href=${entry.href} onClick=${() => setOpen(false)}>${entry.icon && html`<${Icon} name=${entry.icon} />`}<span>${entry.name}</span></a>`
        : html`<button key=${entry.name} type="button" role="menuitem" class=${entry.danger ? "danger" : ""} onClick=${() => chosen(entry)}>
          ${entry.icon && html`<${Icon} name=${entry.icon} />`}<span>${entry.name}</span>${entry.hint && html`<small>${entry.hint}</small>`}</button>`)}</div>`)}</div>`;
}

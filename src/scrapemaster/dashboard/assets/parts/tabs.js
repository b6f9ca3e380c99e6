// Tabs, with arrow keys.
import { html } from "../app/ui.js";

/** @param {{label: string, tabs: {id: string, name: string, count?: number | string}[], chosen: string, onChoose: (id: string) => void}} props */
export function Tabs({ label, tabs, chosen, onChoose }) {
  const keys = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = (tabs.findIndex((one) => one.id === chosen) + step + tabs.length) % tabs.length;
    onChoose(tabs[place].id);
    event.currentTarget.querySelectorAll("[role=tab]")[place].focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${keys}>
    ${tabs.map((one) => html`<button key=${one.id} type="button" role="tab" id=${`tab-${one.id}`} aria-selected=${one.id === chosen ? "true" : "false"}
      tabindex=${one.id === chosen ? 0 : -1} onClick=${() => onChoose(one.id)}>${one.name}${one.count !== undefined && html`<span class="count">${one.count}</span>`}</button>`)}</div>`;
}

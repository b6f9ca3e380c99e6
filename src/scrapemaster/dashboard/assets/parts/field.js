// Fields of forms, each with its label, hint and error.
import { html } from "../app/ui.js";

let last = 0;
const named = new WeakMap();

/** @param {{label: string, hint?: any, error?: string, children: (id: string, described?: string) => any, wide?: boolean}} props */
export function Field({ label, hint, error, wide, children }) {
  let id = named.get(this);
  if (!id) named.set(this, (id = `field-${++last}`));
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return html`<div class=${`field${wide ? " wide" : ""}`}><label for=${id}>${label}</label>${children(id, described)}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}${error && html`<p class="problem" id=${`${id}-error`}>${error}</p>`}</div>`;
}

/** @param {{label: string, value: any, onInput: (value: string) => void, hint?: any, error?: string, wide?: boolean}} props */
export const Text = ({ label, value, onInput, hint, error, wide, type = "text", ...rest }) => html`<${Field} label=${label} hint=${hint} error=${error} wide=${wide}>
  ${(id, described) => html`<input id=${id} type=${type} value=${value} aria-describedby=${described} aria-invalid=${error ? "true" : undefined}
    onInput=${(event) => onInput(event.target.value)} ...${rest} />`}<//>`;

/** @param {{label: string, value: string, options: [string, string][], onChange: (value: string) => void, hint?: any}} props */
export const Choice = ({ label, value, options, onChange, hint, wide, ...rest }) => html`<${Field} label=${label} hint=${hint} wide=${wide}>
  ${(id, described) => html`<select id=${id} aria-describedby=${described} onChange=${(event) => onChange(event.target.value)} ...${rest}>
    ${options.map(([key, name]) => html`<option key=${key} value=${key} selected=${key === value}>${name}</option>`)}</select>`}<//>`;

/** @param {{label: string, checked: boolean, onChange: (checked: boolean) => void, hint?: any}} props */
export const Check = ({ label, checked, onChange, hint, ...rest }) => html`<label class="check">
  <input type="checkbox" checked=${checked} onChange=${(event) => onChange(event.target.checked)} ...${rest} /><span>${label}${hint && html`<small>${hint}</small>`}</span></label>`;

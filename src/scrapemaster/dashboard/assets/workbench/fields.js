// The fields of a draft: names, selectors, what is taken.
import { html } from "../app/ui.js";
import { plural } from "../app/format.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Check, Text } from "../parts/field.js";
import { freeName, newId, takenBy, taking, tone } from "./draft.js";

const TRANSFORMS = [["", "as it is"], ["squeeze", "without extra space"], ["price", "price → number"], ["number", "number"], ["integer", "whole number"], ["currency", "currency"], ["date", "date"], ["boolean", "yes or no"], ["url", "absolute address"], ["text,squeeze", "text of the HTML"], ["json", "JSON"], ["lower", "lower case"]];

/** @param {{draft: any, counts: any, matches: any, notice: string, onChange: (changes: object) => void, onFlash: (css: string) => void}} props */
export function Fields({ draft, counts, matches, first, notice, onChange, onFlash }) {
  const { fields, item } = draft;
  const setField = (id, changes) => onChange({ fields: fields.map((one) => (one.id === id ? { ...one, ...changes } : one)) });
  const drop = (id) => onChange({ fields: fields.filter((one) => one.id !== id) });
  const shift = (place, step) => {
    const next = [...fields];
    const [moved] = next.splice(place, 1);
    next.splice(place + step, 0, moved);
    onChange({ fields: next });
  };
  const add = () => onChange({ fields: [...fields, { id: newId(), name: freeName("field", fields), selector: "", transform: "", many: false, required: false, rest: {} }] });
  return html`<section class="card fields" aria-label="Fields"><header><h2>Fields</h2>
      <div class="actions">${(fields.length > 0 || item) && html`<${Button} kind="quiet" small icon="trash" onClick=${() => onChange({ fields: [], item: "" })}>Clear<//>`}
      <${Button} small icon="plus" onClick=${add}>Add by hand<//></div></header>
    <p class="status-line" role="status">${notice}</p>
    <div class="itemrow"><div class="grow"><${Text} label="One row for each" value=${item} placeholder="the whole page" spellcheck="false" class="mono" onInput=${(next) => onChange({ item: next })} /></div>
      ${item && html`<span class="pill" title="on this page">${plural(counts.items ?? matches["config.item"]?.count ?? 0, "row")}</span>`}</div>
    ${fields.length === 0 ? html`<ol class="howto"><li><b>Click</b> something on the page, a name or a price: it becomes a field.</li><li>Click <b>a second one like it</b>: both become a list, one row for each.</li>
      <li>Click <b>anything else</b> in a row to add it. Names and selectors can be changed here.</li></ol>`
    : html`<ul>${fields.map((field, place) => html`<${One} key=${field.id} field=${field} place=${place} last=${place === fields.length - 1} count=${counts.counts?.[field.name] ?? matches[field.name]?.count} first=${first[field.name]}
        onSet=${(changes) => setField(field.id, changes)} onDrop=${() => drop(field.id)} onShift=${(step) => shift(place, step)} onFlash=${onFlash} item=${item} />`)}</ul>`}
  </section>`;
}

const inWords = (value) => (value === null ? "nothing in the first row" : typeof value === "string" ? value.replace(/\s+/g, " ").trim() || "(empty)" : JSON.stringify(value)).slice(0, 300);

function One({ field, place, last, count, first, onSet, onDrop, onShift, onFlash, item }) {
  const { css, take } = takenBy(field);
  const attributes = Object.keys(field.about?.attributes ?? {});
  if (take.startsWith("@") && !attributes.includes(take.slice(1))) attributes.unshift(take.slice(1));
  const takes = [["text", "text"], ["all", "all text in it"], ["html", "HTML"], ...attributes.map((name) => [`@${name}`, name])];
  const change = (next) => onSet({ selector: taking(css, next), transform: next === "all" ? "text,squeeze" : next === "@href" || next === "@src" ? "url" : ["url", "text,squeeze"].includes(field.transform) ? "" : field.transform });
  const known = TRANSFORMS.some(([id]) => id === field.transform);
  return html`<li class="fieldcard" style=${{ "--tone": tone(place) }}>
    <div class="fieldhead"><i aria-hidden="true"></i><input class="fieldname" aria-label="Name of the field" value=${field.name} spellcheck="false" onInput=${(event) => onSet({ name: event.target.value })} />
      <span class=${`pill${count === 0 ? " gone" : ""}`} title="found on this page">${count === undefined ? "…" : count}</span>
      <${Menu} label=${`More for ${field.name}`} small><${Check} label="All matches, as a list" checked=${field.many} onChange=${(many) => onSet({ many })} />
        <${Check} label="Required" hint="Rows without it are dropped" checked=${field.required} onChange=${(required) => onSet({ required })} />
        <${Text} label="Transforms" hint="Separated by commas" value=${field.transform} class="mono" onInput=${(transform) => onSet({ transform })} />
        <div class="actions"><${Button} small icon="up" label="Move up" disabled=${place === 0} onClick=${() => onShift(-1)} /><${Button} small icon="caret" label="Move down" disabled=${last} onClick=${() => onShift(1)} />
        ${css && html`<${Button} small icon="target" onClick=${() => onFlash(item ? `${item} ${css}` : css)}>Show<//>`}</div><//>
      <${Button} kind="quiet" small icon="cross" label=${`Remove ${field.name}`} onClick=${onDrop} /></div>
    <input class="mono selector" aria-label=${`Selector of ${field.name}`} placeholder=".price::text, or an XPath" value=${field.selector} spellcheck="false" autocapitalize="none" onInput=${(event) => onSet({ selector: event.target.value })} />
    <div class="pair">${css !== null && html`<select aria-label=${`What is taken for ${field.name}`} onChange=${(event) => change(event.target.value)}>${takes.map(([id, name]) => html`<option key=${id} value=${id} selected=${id === take}>${name}</option>`)}</select>`}
      <select aria-label=${`What is made of ${field.name}`} onChange=${(event) => onSet({ transform: event.target.value })}>${[...TRANSFORMS, ...(known ? [] : [[field.transform, field.transform]])].map(([id, name]) => html`<option key=${id} value=${id} selected=${id === field.transform}>${name}</option>`)}</select></div>
    ${first !== undefined && html`<p class="sample cut" title=${inWords(first)}><${Icon} name="right" size=${11} />${inWords(first)}</p>`}</li>`;
}

// What happened to a job, in lines.
import { html, useLayoutEffect, useRef, useState } from "../app/ui.js";
import { hour, moment } from "../app/format.js";
import { Empty } from "../parts/states.js";

export function Log({ lines, live }) {
  const [level, setLevel] = useState("");
  const box = useRef(null);
  const stuck = useRef(true);
  useLayoutEffect(() => { if (stuck.current && box.current) box.current.scrollTop = box.current.scrollHeight; }, [lines, level]);
  const shown = level ? lines.filter((line) => line.level === level) : lines;
  if (!lines.length) return html`<div class="card"><${Empty} icon="list" title="Nothing in the log">${live ? "Lines appear as things happen." : "The log is empty."}<//></div>`;
  return html`<section class="card" aria-label="Log"><div class="toolbar"><div class="chips tight" role="group" aria-label="Level">
      ${[["", "All"], ["info", "Info"], ["warning", "Warnings"], ["error", "Errors"]].map(([id, name]) => html`<button key=${id} type="button" aria-pressed=${level === id ? "true" : "false"} onClick=${() => setLevel(id)}>${name}</button>`)}</div>
      <span class="push"></span>${live && html`<span class="live on"><i></i>Follows</span>`}</div>
    <div class="log" ref=${box} tabindex="0" role="log" aria-label="Log lines" onScroll=${(event) => { const node = event.target; stuck.current = node.scrollHeight - node.scrollTop - node.clientHeight < 30; }}>
      ${shown.map((line) => html`<div key=${line.seq} class=${`line ${line.level}`}><time datetime=${line.at} title=${moment(line.at)}>${hour(line.at)}</time><span class="level">${line.level}</span><span>${line.message}</span></div>`)}</div></section>`;
}

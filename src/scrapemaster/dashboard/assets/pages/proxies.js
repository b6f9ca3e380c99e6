// The pool of proxies, and how each fares with each host.
import { html, useState } from "../app/ui.js";
import { list, post, patch, remove } from "../app/api.js";
import { count, percent } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Dialog, confirm } from "../parts/dialog.js";
import { Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { tell } from "../parts/toast.js";

export function Proxies() {
  const { data, error, reload } = useLoad((signal) => list("/proxies", { limit: 100 }, signal), []);
  const [adding, setAdding] = useState(false);
  const add = html`<${Button} kind="primary" icon="plus" onClick=${() => setAdding(true)}>Add proxies<//>`;
  const check = async (one) => { if (await tell(post(`/proxies/${one.id}/check`), "Checked")) reload(); };
  const turn = async (one) => { if (await tell(patch(`/proxies/${one.id}`, { enabled: !one.enabled }))) reload(); };
  const drop = async (one) => { if (await confirm({ title: "Remove this proxy?", text: "Jobs go on with the others.", action: "Remove" }) && await tell(remove(`/proxies/${one.id}`), "Removed")) reload(); };
  if (error?.status === 404) return html`<${Titlebar} title="Proxies" /><div class="card"><${Empty} icon="globe" title="No pool here">This version of the service has no pool of proxies; a job may name a proxy of its own.<//></div>`;
  const rows = Array.isArray(data?.rows) ? data.rows : data?.rows?.proxies ?? [];
  return html`<${Titlebar} title="Proxies">${add}<//>
    <section class="card" aria-label="Proxies">${error && !data ? html`<${Wrong} error=${error} onRetry=${reload} />` : !data ? html`<${Waiting} />`
      : !rows.length ? html`<${Empty} icon="globe" title="The pool is empty" action=${add}>Jobs with <code>proxy: pool</code> take one of these, the one that fares best with the host.<//>`
      : html`<div class="scroll"><table class="table"><thead><tr><th>Proxy</th><th>State</th><th>By host</th><th><span class="hidden">Actions</span></th></tr></thead><tbody>${rows.map((one) => html`<tr key=${one.id}>
        <td class="what"><span class="name mono cut">${one.url ?? one.server ?? one.id}</span><span class="sub">${(one.tags ?? []).map((tag) => html`<span class="pill" key=${tag}>${tag}</span> `)}</span></td>
        <td><span class=${`status ${one.status ?? one.state}`}><i></i>${one.status ?? one.state}</span></td><td><${Hosts} hosts=${one.hosts ?? one.health ?? []} /></td>
        <td class="right"><${Menu} label="Actions" small entries=${[{ name: "Check now", icon: "retry", act: () => check(one) }, one.enabled !== undefined && { name: one.enabled ? "Switch off" : "Switch on", icon: "pause", act: () => turn(one) }, { name: "Remove", icon: "trash", danger: true, act: () => drop(one) }]} /></td></tr>`)}</tbody></table></div>`}</section>
    ${adding && html`<${Add} onClose=${() => { setAdding(false); reload(); }} />`}`;
}

/** Health, host by host, as far as it is told. */
function Hosts({ hosts }) {
  const all = Array.isArray(hosts) ? hosts : Object.entries(hosts).map(([host, one]) => ({ host, ...one }));
  if (!all.length) return html`<span class="faint">not used yet</span>`;
  return html`<ul class="hosts">${all.slice(0, 5).map((one) => { const rate = one.success_rate === undefined ? null : one.success_rate > 1 ? one.success_rate / 100 : one.success_rate; return html`<li key=${one.host}><span class="cut">${one.host}</span>
    ${rate !== null && html`<span class=${`meter${rate < 0.5 ? " low" : ""}`} role="img" aria-label=${`${percent(rate)} succeed`}><i style=${{ transform: `scaleX(${rate})` }}></i></span><span class="figure">${percent(rate)}</span>`}</li>`; })}
    ${all.length > 5 && html`<li class="faint">and ${count(all.length - 5)} more</li>`}</ul>`;
}

function Add({ onClose }) {
  const [text, setText] = useState("");
  const [tags, setTags] = useState("");
  const [error, setError] = useState("");
  const send = async (event) => {
    event.preventDefault();
    try {
      await post("/proxies", { urls: text.split(/\s+/).filter(Boolean), ...(tags.trim() ? { tags: tags.split(",").map((one) => one.trim()).filter(Boolean) } : {}) });
      onClose();
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<${Dialog} title="Add proxies" onClose=${onClose}><form class="stack" onSubmit=${send}>
    <div class="field"><label for="proxies">Addresses</label><textarea id="proxies" class="mono" rows="6" required value=${text} placeholder="http://user:password@proxy.example:3128" onInput=${(event) => setText(event.target.value)}></textarea><p class="hint">One a line: http, https or socks5. Passwords are never shown again.</p></div>
    <${Text} label="Tags" value=${tags} hint="Separated by commas" onInput=${setTags} />
    ${error && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${error}</div></div>`}<div class="actions"><${Button} kind="primary" type="submit">Add<//></div></form><//>`;
}

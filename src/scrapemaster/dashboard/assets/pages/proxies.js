// The pool of proxies, and how each fares with each host.
import { html, useState } from "../app/ui.js";
import { get, list, patch, post, remove } from "../app/api.js";
import { count, span } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Dialog, confirm } from "../parts/dialog.js";
import { Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { Ago } from "../parts/time.js";
import { tell, toast } from "../parts/toast.js";

export function Proxies() {
  const { data, error, reload } = useLoad((signal) => list("/proxies", { limit: 100 }, signal), []);
  const [adding, setAdding] = useState(false);
  const [open, setOpen] = useState(null);
  const add = html`<${Button} kind="primary" icon="plus" onClick=${() => setAdding(true)}>Add proxies<//>`;
  const check = async (one) => { const found = await tell(post(`/proxies/${one.id}/check`, {})); if (found) { toast(found.detail, found.ok ? "done" : "wrong"); reload(); } };
  const turn = async (one) => { if (await tell(patch(`/proxies/${one.id}`, { enabled: !one.enabled }))) reload(); };
  const drop = async (one) => { if (await confirm({ title: "Remove this proxy?", text: "Jobs go on with the others.", action: "Remove" }) && await tell(remove(`/proxies/${one.id}`), "Removed")) reload(); };
  if (error?.status === 404) return html`<${Titlebar} title="Proxies" /><div class="card"><${Empty} icon="globe" title="No pool here">This version of the service has no pool of proxies; a job may name a proxy of its own.<//></div>`;
  const rows = data?.rows ?? [];
  return html`<${Titlebar} title="Proxies">${add}<//>
    <section class="card proxies" aria-label="Proxies">${error && !data ? html`<${Wrong} error=${error} onRetry=${reload} />` : !data ? html`<${Waiting} />`
      : !rows.length ? html`<${Empty} icon="globe" title="The pool is empty" action=${add}>Jobs with <code>proxy: pool</code> take one of these, the one that fares best with the host.<//>`
      : html`<div class="scroll"><table class="table"><thead><tr><th>Proxy</th><th>State</th><th>Succeeds</th><th class="right">Latency</th><th>Hosts</th><th><span class="hidden">Actions</span></th></tr></thead><tbody>${rows.map((one) => html`<tr key=${one.id}>
        <td class="what"><button type="button" class="linklike name mono cut" onClick=${() => setOpen(one.id)}>${one.url}</button><span class="sub">tier ${one.tier} ${one.tags.map((tag) => html`<span class="pill" key=${tag}>${tag}</span> `)}</span></td>
        <td><span class=${`status ${one.enabled ? one.state : "cancelled"}`}><i></i>${one.enabled ? one.state : "off"}</span>${one.resting_until && html`<span class="sub">until <${Ago} at=${one.resting_until} /></span>`}</td>
        <td>${one.hosts === 0 ? html`<span class="soft">not tried</span>` : html`<span class=${`meter thin${one.success_rate < 50 ? " low" : ""}`} role="img" aria-label=${`${one.success_rate} % succeed`}><i style=${{ transform: `scaleX(${one.success_rate / 100})` }}></i></span><span class="figure">${one.success_rate} %</span>`}</td>
        <td class="right soft">${one.latency === null ? "–" : span(one.latency)}</td><td class="soft">${count(one.hosts)}${one.hosts_banned > 0 && html` <span class="pill gone">${count(one.hosts_banned)} ban it</span>`}</td>
        <td class="right"><${Menu} label=${`Actions for ${one.url}`} small entries=${[{ name: "Check now", icon: "retry", act: () => check(one) }, { name: one.enabled ? "Switch off" : "Switch on", icon: one.enabled ? "pause" : "play", act: () => turn(one) }, { name: "Remove", icon: "trash", danger: true, act: () => drop(one) }]} /></td></tr>`)}</tbody></table></div>`}</section>
    ${open && html`<${Detail} id=${open} onClose=${() => setOpen(null)} />`}
    ${adding && html`<${Add} onClose=${() => { setAdding(false); reload(); }} />`}`;
}

/** One proxy, with the hosts it rests for. */
function Detail({ id, onClose }) {
  const { data, error } = useLoad((signal) => get(`/proxies/${id}`, {}, signal), [id]);
  const rests = Object.entries(data?.rests ?? {});
  return html`<${Dialog} side title="Proxy" onClose=${onClose}>${error ? html`<${Wrong} error=${error} />` : !data ? html`<${Waiting} />` : html`<p class="mono cut">${data.url}</p>
    <dl class="pairs"><dt>State</dt><dd>${data.state}</dd><dt>Tier</dt><dd>${data.tier}</dd><dt>Succeeds</dt><dd>${data.success_rate} %</dd><dt>Added</dt><dd><${Ago} at=${data.created_at} /></dd></dl>
    <h3>Hosts it rests for</h3>${rests.length === 0 ? html`<p class="soft">None: every host may be asked through it.</p>` : html`<ul class="health">${rests.map(([host, until]) => html`<li key=${host}><span class="mono cut">${host}</span><span class="soft">until <${Ago} at=${until} /></span></li>`)}</ul>`}`}<//>`;
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

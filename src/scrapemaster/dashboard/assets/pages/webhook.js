// One webhook: what was sent, what came of it, and sending it again.
import { html, useEffect, useState } from "../app/ui.js";
import { get, list, patch, post, remove } from "../app/api.js";
import { moment, span } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { go } from "../app/router.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Code } from "../parts/code.js";
import { Dialog, confirm } from "../parts/dialog.js";
import { Check } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Pager } from "../parts/pager.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { Ago } from "../parts/time.js";
import { tell } from "../parts/toast.js";
import { EVENTS, HookState } from "./webhooks.js";

const LIMIT = 50;
const STATES = { pending: "Waits", delivered: "Delivered", failed: "Failed" };

export function Webhook({ id }) {
  const [skip, setSkip] = useState(0);
  const [state, setState] = useState("");
  const [open, setOpen] = useState(null);
  const [secret, setSecret] = useState("");
  const hook = useLoad((signal) => get(`/webhooks/${id}`, {}, signal), [id]);
  const sent = useLoad((signal) => list(`/webhooks/${id}/deliveries`, { state, skip, limit: LIMIT }, signal), [id, state, skip]);
  // What waits is looked after for a while.
  const waits = sent.data?.rows.some((one) => one.state === "pending" && one.attempts.length === 0);
  useEffect(() => {
    if (!waits) return undefined;
    const timer = setTimeout(sent.reload, 1500);
    return () => clearTimeout(timer);
  }, [sent.data]);
  if (hook.error) return html`<${Titlebar} title="Webhook" /><div class="card"><${Wrong} error=${hook.error} onRetry=${hook.reload} /></div>`;
  if (!hook.data) return html`<${Titlebar} title="Webhook" /><div class="card"><${Waiting} /></div>`;
  const one = hook.data;
  const change = async (changes, said) => { const next = await tell(patch(`/webhooks/${id}`, changes), said); if (next) hook.set(next); };
  const test = async () => { if (await tell(post(`/webhooks/${id}/test`), "A test message is on its way")) sent.reload(); };
  const replay = async (delivery) => { if (await tell(post(`/webhooks/${id}/deliveries/${delivery.id}/replay`), "Sent again")) { setOpen(null); sent.reload(); } };
  const rotate = async () => { const answer = await tell(post(`/webhooks/${id}/rotate-secret`)); if (answer) setSecret(answer.secret); };
  const drop = async () => {
    if (await confirm({ title: "Delete this webhook?", text: "Nothing more is sent to it, also not what waits.", action: "Delete" }) && await tell(remove(`/webhooks/${id}`), "Deleted")) go("/webhooks");
  };
  return html`<nav class="crumbs" aria-label="Where this is"><a href="/webhooks">Webhooks</a><${Icon} name="right" size=${12} /><span class="cut">${one.webhook_url}</span></nav>
    <${Titlebar} title=${one.description ?? "Webhook"}><${Button} icon="send" onClick=${test}>Send a test<//>
      <${Menu} label="More" kind="plain" entries=${[{ name: one.enabled ? "Switch off" : "Switch on", icon: one.enabled ? "pause" : "play", act: () => change({ enabled: !one.enabled }, one.enabled ? "Switched off" : "Switched on") },
        { name: "Change the secret", icon: "key", act: rotate }, { name: "Delete", icon: "trash", danger: true, act: drop }]} /><//>
    <div class="headline"><${HookState} hook=${one} /><span class="faint">·</span><span class="cut mono">${one.webhook_url}</span></div>
    ${one.disabled_reason && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>It was switched off: ${one.disabled_reason}.</div></div>`}
    <div class="columns">
      <section class="card" aria-label="Deliveries"><div class="toolbar"><div class="chips tight" role="group" aria-label="State">${[["", "All"], ...Object.entries(STATES)].map(([key, name]) => html`<button key=${key} type="button" aria-pressed=${state === key ? "true" : "false"} onClick=${() => { setState(key); setSkip(0); }}>${name}</button>`)}</div>
          <span class="push"></span><${Pager} skip=${skip} limit=${LIMIT} total=${sent.data?.total ?? 0} onSkip=${setSkip} /><${Button} kind="quiet" small icon="retry" label="Look again" onClick=${sent.reload} /></div>
        ${sent.error && !sent.data ? html`<${Wrong} error=${sent.error} onRetry=${sent.reload} />` : !sent.data ? html`<${Waiting} />`
        : !sent.data.rows.length ? html`<${Empty} icon="send" title="Nothing was sent" action=${html`<${Button} icon="send" onClick=${test}>Send a test<//>`}>Messages are listed here, with every try, for 30 days.<//>`
        : html`<div class="scroll"><table class="table"><thead><tr><th>Event</th><th>State</th><th class="right">Tries</th><th>Answer</th><th>When</th></tr></thead><tbody>
          ${sent.data.rows.map((delivery) => { const last = delivery.attempts.at(-1); return html`<tr key=${delivery.id}><td><button type="button" class="linklike" onClick=${() => setOpen(delivery.id)}>${delivery.type}</button></td>
            <td><span class=${`status ${delivery.state}`}><i></i>${STATES[delivery.state] ?? delivery.state}</span></td><td class="right">${delivery.attempts.length}</td>
            <td class="soft">${last ? (last.status ?? last.error) : "–"}</td><td class="nowrap soft"><${Ago} at=${delivery.created_at} /></td></tr>`; })}</tbody></table></div>`}</section>
      <section class="card padded stack" aria-label="Events"><h2>Events</h2>${EVENTS.map(([event, name]) => html`<${Check} key=${event} label=${name} hint=${event} checked=${one.events.includes(event)} disabled=${one.events.length === 1 && one.events[0] === event}
        onChange=${(on) => change({ events: on ? [...one.events, event] : one.events.filter((now) => now !== event) }, "Changed")} />`)}</section></div>
    ${open && html`<${Delivery} hook=${id} id=${open} onClose=${() => setOpen(null)} onReplay=${replay} />`}
    ${secret && html`<${Dialog} title="The new secret" onClose=${() => setSecret("")}><p>For 24 hours messages carry the signature of the old one, too. It is not shown again.</p><${Code} label="Secret" text=${secret} /><//>`}`;
}

function Delivery({ hook, id, onClose, onReplay }) {
  const { data, error } = useLoad((signal) => get(`/webhooks/${hook}/deliveries/${id}`, {}, signal), [id]);
  return html`<${Dialog} side title="Delivery" onClose=${onClose} footer=${data && html`<${Button} kind="primary" icon="retry" onClick=${() => onReplay(data)}>Send again<//>`}>
    ${error ? html`<${Wrong} error=${error} />` : !data ? html`<${Waiting} />` : html`<p><b>${data.type}</b> <span class="soft">${moment(data.created_at)}</span></p><p class="mono faint cut">${data.id}</p>
      <h3>Tries</h3><ul class="tries">${data.attempts.length === 0 ? html`<li class="faint">None yet.</li>` : data.attempts.map((one, place) => html`<li key=${place}><span class=${`status ${one.error ? "failed" : "delivered"}`}><i></i>${one.status ?? "no answer"}</span>
        <span class="soft">${moment(one.at)} · ${span(one.duration)}</span>${one.error && html`<span class="sub">${one.error}</span>`}${one.response && html`<pre class="mono answer">${one.response}</pre>`}</li>`)}</ul>
      ${data.next_attempt_at && html`<p class="soft">Next try <${Ago} at=${data.next_attempt_at} />.</p>`}
      <h3>Message</h3><${Code} label="Message" text=${JSON.stringify(data.payload, null, 2)} />`}<//>`;
}

// Where events are sent.
import { html, useState } from "../app/ui.js";
import { list, post } from "../app/api.js";
import { useLoad } from "../app/load.js";
import { go } from "../app/router.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Code } from "../parts/code.js";
import { Dialog } from "../parts/dialog.js";
import { Check, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { Ago } from "../parts/time.js";

export const EVENTS = [["job.started", "A job started"], ["job.completed", "A job completed"], ["job.failed", "A job failed"], ["job.cancelled", "A job was cancelled"], ["job.paused", "A job was paused"], ["item.batch", "Rows came in"]];

export function Webhooks() {
  const { data, error, reload } = useLoad((signal) => list("/webhooks", { limit: 100 }, signal), []);
  const [making, setMaking] = useState(false);
  const make = html`<${Button} kind="primary" icon="plus" onClick=${() => setMaking(true)}>New webhook<//>`;
  return html`<${Titlebar} title="Webhooks">${make}<//>
    <section class="card" aria-label="Webhooks">${error && !data ? html`<${Wrong} error=${error} onRetry=${reload} />` : !data ? html`<${Waiting} />`
      : !data.rows.length ? html`<${Empty} icon="send" title="Nobody is told yet" action=${make}>A webhook is told when jobs start, end or bring rows: signed, retried for 28 hours, each try on record.<//>`
      : html`<div class="scroll"><table class="table"><thead><tr><th>Address</th><th>State</th><th>Events</th><th>Made</th></tr></thead><tbody>
        ${data.rows.map((one) => html`<tr key=${one.id}><td class="what"><a class="name cut" href=${`/webhooks/${one.id}`}>${one.webhook_url}</a><span class="sub cut">${one.description}</span></td>
          <td><${HookState} hook=${one} /></td><td>${one.events.map((event) => html`<span class="pill" key=${event}>${event}</span> `)}</td><td class="nowrap soft"><${Ago} at=${one.created_at} /></td></tr>`)}</tbody></table></div>`}</section>
    ${making && html`<${Make} onClose=${() => { setMaking(false); reload(); }} />`}`;
}

/** @param {{hook: any}} props */
export function HookState({ hook }) {
  if (!hook.enabled) return html`<span class="status cancelled" title=${hook.disabled_reason}><i></i>Off</span>`;
  return hook.failing_since ? html`<span class="status failed"><i></i>Failing</span>` : html`<span class="status healthy"><i></i>On</span>`;
}

function Make({ onClose }) {
  const [url, setUrl] = useState("");
  const [description, setDescription] = useState("");
  const [events, setEvents] = useState(["job.completed", "job.failed"]);
  const [error, setError] = useState("");
  const [made, setMade] = useState(null);
  const send = async (event) => {
    event.preventDefault();
    setError("");
    try {
      setMade(await post("/webhooks", { webhook_url: url, events, ...(description ? { description } : {}) }));
    } catch (problem) {
      setError(problem.message);
    }
  };
  if (made) {
    return html`<${Dialog} title="The webhook's secret" onClose=${onClose} footer=${html`<${Button} kind="primary" onClick=${() => go(`/webhooks/${made.id}`)}>I have it<//>`}>
      <p>Messages are signed with it, as Standard Webhooks says. It is not shown again.</p><${Code} label="Secret" text=${made.secret} /><//>`;
  }
  return html`<${Dialog} title="New webhook" onClose=${onClose}><form class="stack" id="hook" onSubmit=${send}>
      <${Text} label="Address" type="url" required value=${url} placeholder="https://your-app.example/hook" onInput=${setUrl} />
      <${Text} label="Description" value=${description} hint="Yours; may be empty" maxlength="500" onInput=${setDescription} />
      <fieldset><legend>Events</legend><div class="checks">${EVENTS.map(([id, name]) => html`<${Check} key=${id} label=${name} hint=${id} checked=${events.includes(id)} onChange=${(on) => setEvents(on ? [...events, id] : events.filter((one) => one !== id))} />`)}</div></fieldset>
      ${error && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${error}</div></div>`}
      <div class="actions"><${Button} kind="primary" type="submit" disabled=${!events.length}>Make the webhook<//></div></form><//>`;
}

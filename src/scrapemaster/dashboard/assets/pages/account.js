// One's own account, and the keys of one's programs.
import { html, useState } from "../app/ui.js";
import { get, post, remove } from "../app/api.js";
import { useCell } from "../app/cell.js";
import { useLoad } from "../app/load.js";
import { session, setSession } from "../app/session.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Code } from "../parts/code.js";
import { Dialog, confirm } from "../parts/dialog.js";
import { Choice, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { Ago } from "../parts/time.js";
import { tell, toast } from "../parts/toast.js";

export function Account() {
  const { user } = useCell(session);
  return html`<${Titlebar} title="Account & keys" />
    <div class="columns"><${Keys} />
    <div class="stack"><section class="card padded stack" aria-label="Account"><h2>Signed in as ${user?.username}</h2><dl class="pairs"><dt>Role</dt><dd>${user?.role}</dd><dt>E-mail</dt><dd>${user?.email ?? "–"}</dd><dt>Id</dt><dd class="mono cut">${user?.id}</dd></dl></section>
      <${Password} /></div></div>`;
}

const DAY = 86_400_000;

function Keys() {
  const { data, error, reload } = useLoad((signal) => get("/auth/keys", {}, signal), []);
  const [name, setName] = useState("");
  const [days, setDays] = useState("");
  const [made, setMade] = useState(null);
  const [problem, setProblem] = useState("");
  const make = async (event) => {
    event.preventDefault();
    try {
      setMade(await post("/auth/keys", { name, ...(days ? { expires_at: new Date(Date.now() + Number(days) * DAY).toISOString() } : {}) }));
      setName("");
      setProblem("");
      reload();
    } catch (failure) {
      setProblem(failure.message);
    }
  };
  const drop = async (key) => {
    if (await confirm({ title: `Delete “${key.name}”?`, text: "Programs that use this key are refused from now on.", action: "Delete the key" }) && await tell(remove(`/auth/keys/${key.id}`), "Deleted")) reload();
  };
  return html`<section class="card" aria-label="API keys"><header><h2>API keys</h2></header>
    <form class="keyform" onSubmit=${make}><${Text} label="What it is for" required maxlength="100" value=${name} placeholder="nightly import" onInput=${setName} error=${problem} />
      <${Choice} label="Lasts" value=${days} options=${[["", "until deleted"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"]]} onChange=${setDays} /><${Button} kind="primary" icon="plus" type="submit">Make a key<//></form>
    ${error && !data ? html`<${Wrong} error=${error} onRetry=${reload} />` : !data ? html`<${Waiting} rows=${3} />`
      : !data.length ? html`<${Empty} icon="key" title="No keys">Programs sign in with a key instead of your password.<//>`
      : html`<div class="scroll"><table class="table"><thead><tr><th>Key</th><th>Last used</th><th>Ends</th><th><span class="hidden">Actions</span></th></tr></thead><tbody>${data.map((key) => html`<tr key=${key.id}>
        <td class="what"><span class="name cut">${key.name}</span><span class="sub mono">${key.prefix}…${key.last4}</span></td><td class="nowrap soft">${key.last_used_at ? html`<${Ago} at=${key.last_used_at} />` : "never"}</td><td class="nowrap soft">${key.expires_at ? html`<${Ago} at=${key.expires_at} />` : "never"}</td>
        <td class="right"><${Button} kind="quiet" small icon="trash" label=${`Delete ${key.name}`} onClick=${() => drop(key)} /></td></tr>`)}</tbody></table></div>`}
    ${made && html`<${Dialog} title="The key" onClose=${() => setMade(null)} footer=${html`<${Button} kind="primary" onClick=${() => setMade(null)}>I have it<//>`}><p>Copy it now: it is not shown again.</p><${Code} label="API key" text=${made.key} /><//>`}</section>`;
}

function Password() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [error, setError] = useState("");
  const send = async (event) => {
    event.preventDefault();
    const { user } = session.get();
    try {
      await post("/auth/password", { current_password: current, new_password: next });
      const answer = await post("/auth/login", { username: user.username, password: next, use: "dashboard" }, { open: true });
      setSession({ token: answer.access_token, expires: Date.now() + answer.expires_in * 1000, user });
      toast("Changed; everybody else who was signed in is signed out");
      setCurrent("");
      setNext("");
      setError("");
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<section class="card padded" aria-label="Password"><form class="stack" onSubmit=${send}><h2>Change the password</h2>
    <${Text} label="Password until now" type="password" required value=${current} autocomplete="current-password" onInput=${setCurrent} />
    <${Text} label="New password" type="password" required minlength="8" maxlength="128" value=${next} autocomplete="new-password" hint="At least 8 characters" onInput=${setNext} />
    ${error && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${error}</div></div>`}
    <div class="actions"><${Button} type="submit">Change it<//></div></form></section>`;
}

// Accounts, their roles and their limits; for admins.
import { html, useState } from "../app/ui.js";
import { list, patch, post, remove } from "../app/api.js";
import { useCell } from "../app/cell.js";
import { useLoad } from "../app/load.js";
import { session } from "../app/session.js";
import { Titlebar } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Dialog, confirm } from "../parts/dialog.js";
import { Choice, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { Pager } from "../parts/pager.js";
import { Waiting, Wrong } from "../parts/states.js";
import { Ago } from "../parts/time.js";
import { tell } from "../parts/toast.js";

const LIMIT = 50;

export function Admin() {
  const [skip, setSkip] = useState(0);
  const { user } = useCell(session);
  const { data, error, reload } = useLoad((signal) => list("/users", { skip, limit: LIMIT }, signal), [skip]);
  const [editing, setEditing] = useState(null);
  const change = async (one, changes, said) => { if (await tell(patch(`/users/${one.id}`, changes), said)) reload(); };
  const drop = async (one) => {
    if (await confirm({ title: `Delete ${one.username}?`, text: "The account goes with its jobs, rows, schedules, webhooks and keys. This cannot be taken back.", action: "Delete the account" }) && await tell(remove(`/users/${one.id}`), "Deleted")) reload();
  };
  return html`<${Titlebar} title="Users"><${Button} kind="primary" icon="plus" onClick=${() => setEditing({})}>New user<//><//>
    <section class="card" aria-label="Users">${error && !data ? html`<${Wrong} error=${error} onRetry=${reload} />` : !data ? html`<${Waiting} />`
      : html`<div class="scroll"><table class="table"><thead><tr><th>User</th><th>Role</th><th>State</th><th>Requests</th><th>Made</th><th><span class="hidden">Actions</span></th></tr></thead><tbody>
        ${data.rows.map((one) => html`<tr key=${one.id}><td class="what"><span class="name cut">${one.username}${one.id === user?.id ? html` <span class="pill">you</span>` : ""}</span><span class="sub cut">${one.email}</span></td><td>${one.role}</td>
          <td><span class=${`status ${one.disabled ? "cancelled" : "healthy"}`}><i></i>${one.disabled ? "Shut" : "Open"}</span></td><td class="soft">${one.rate_limit ?? "as usual"}</td><td class="nowrap soft"><${Ago} at=${one.created_at} /></td>
          <td class="right"><${Menu} label=${`Actions for ${one.username}`} small entries=${[{ name: "Change", icon: "edit", act: () => setEditing(one) },
            { name: one.disabled ? "Open the account" : "Shut the account", icon: one.disabled ? "play" : "pause", act: () => change(one, { disabled: !one.disabled }, one.disabled ? "Opened" : "Shut") }, { name: "Delete", icon: "trash", danger: true, act: () => drop(one) }]} /></td></tr>`)}</tbody></table></div>
        ${data.total > LIMIT && html`<div class="toolbar"><span class="push"></span><${Pager} skip=${skip} limit=${LIMIT} total=${data.total} onSkip=${setSkip} /></div>`}`}</section>
    ${editing && html`<${Edit} one=${editing} onClose=${() => setEditing(null)} onDone=${() => { setEditing(null); reload(); }} />`}`;
}

function Edit({ one, onClose, onDone }) {
  const fresh = !one.id;
  const [draft, setDraft] = useState({ username: "", password: "", role: one.role ?? "user", email: one.email ?? "", rate_limit: one.rate_limit ?? "" });
  const [error, setError] = useState("");
  const set = (name) => (value) => setDraft({ ...draft, [name]: value });
  const send = async (event) => {
    event.preventDefault();
    const { username, password, role, email, rate_limit } = draft;
    const body = { role, email: email || null, rate_limit: rate_limit || null, ...(password ? { password } : {}), ...(fresh ? { username } : {}) };
    try {
      await (fresh ? post("/users", body) : patch(`/users/${one.id}`, body));
      onDone();
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<${Dialog} title=${fresh ? "New user" : one.username} onClose=${onClose}><form class="stack" onSubmit=${send}>
    ${fresh && html`<${Text} label="User name" required value=${draft.username} onInput=${set("username")} autocomplete="off" />`}
    <${Text} label=${fresh ? "Password" : "New password"} type="password" required=${fresh} minlength="8" value=${draft.password} autocomplete="new-password" hint=${fresh ? "At least 8 characters" : "Empty: it stays. Another one signs the user out everywhere."} onInput=${set("password")} />
    <${Choice} label="Role" value=${draft.role} options=${[["user", "User"], ["admin", "Admin: sees everything, manages users"]]} onChange=${set("role")} />
    <${Text} label="E-mail" type="email" value=${draft.email} onInput=${set("email")} />
    <${Text} label="Limit of requests" value=${draft.rate_limit} placeholder="as usual" hint="Such as 1000/hour, or off" onInput=${set("rate_limit")} />
    ${error && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${error}</div></div>`}
    <div class="actions"><${Button} kind="primary" type="submit">${fresh ? "Make the account" : "Save"}<//></div></form><//>`;
}

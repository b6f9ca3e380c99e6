// Signing in, making an account, and the first start.
import { html, useState } from "../app/ui.js";
import { get, post } from "../app/api.js";
import { useLoad } from "../app/load.js";
import { setSession } from "../app/session.js";
import { Brand, ThemeMenu } from "../app/shell.js";
import { Button } from "../parts/button.js";
import { Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";

export function SignIn() {
  const welcome = useLoad((signal) => get("/auth/welcome", {}, signal), []);
  const [making, setMaking] = useState(false);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const { registration = false, fresh = false } = welcome.data ?? {};
  document.title = `${making ? "Make an account" : "Sign in"} · ScrapeMaster`;

  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      if (making) await post("/auth/register", { username: name, password }, { open: true });
      const answer = await post("/auth/login", { username: name, password, use: "dashboard" }, { open: true });
      const headers = { Authorization: `Bearer ${answer.access_token}` };
      const user = await (await fetch("/api/v1/auth/me", { headers })).json();
      setSession({ token: answer.access_token, expires: Date.now() + answer.expires_in * 1000, user });
    } catch (problem) {
      setError(problem.message);
      setBusy(false);
    }
  };
  const other = () => { setMaking(!making); setError(""); };

  return html`<div class="gate"><main id="main">
    <${Brand} />
    <div class="card">
      <h1>${making ? "Make an account" : "Sign in"}</h1>
      ${fresh && !making && html`<div class="note"><${Icon} name="key" /><div><b>First start?</b> Sign in as <code>admin</code> with the password that the service printed when it
        started, or the one you set as <code>SCRAPEMASTER_ADMIN_PASSWORD</code>. Lost it? <code>scrapemaster user passwd admin</code> sets another.</div></div>`}
      ${welcome.error && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${welcome.error.message}</div></div>`}
      <form onSubmit=${send}>
        <${Text} label="User name" value=${name} onInput=${setName} autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus
          hint=${making ? "3 to 64 letters, digits, dots, dashes or underscores" : undefined} />
        <${Text} label="Password" type="password" value=${password} onInput=${setPassword} required minlength=${making ? 8 : undefined}
          autocomplete=${making ? "new-password" : "current-password"} hint=${making ? "At least 8 characters" : undefined} />
        ${error && html`<div class="note bad" role="alert"><${Icon} name="warn" /><div>${error}</div></div>`}
        <${Button} kind="primary" type="submit" busy=${busy}>${making ? "Make the account" : "Sign in"}<//>
      </form>
    </div>
    <div class="switch">${registration && html`<p>${making ? "You have one already? " : "No account yet? "}<button type="button" class="linklike" onClick=${other}>${making ? "Sign in" : "Make one"}</button></p>`}
      <${ThemeMenu} /></div>
  </main></div>`;
}

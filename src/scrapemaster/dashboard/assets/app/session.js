// Who is signed in, in this browser.
import { cell } from "./cell.js";

const KEY = "sm.session";

/** @typedef {{token: string, expires: number, user: {id: string, username: string, role: string, email: string | null} | null}} Session */

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return found && found.expires > Date.now() ? found : null;
  } catch {
    return null;
  }
}

/** @type {ReturnType<typeof cell<Session | null>>} */
export const session = cell(stored());

/** @param {Session | null} next */
export function setSession(next) {
  if (next) localStorage.setItem(KEY, JSON.stringify(next));
  else localStorage.removeItem(KEY);
  session.set(next);
}

export const isAdmin = () => session.get()?.user?.role === "admin";

// Signing out in one tab signs out in all.
addEventListener("storage", (event) => {
  if (event.key === KEY) session.set(stored());
});

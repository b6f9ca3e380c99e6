// Short messages at the edge, which go by themselves.
import { cell, useCell } from "../app/cell.js";
import { html } from "../app/ui.js";
import { Icon } from "./icon.js";

/** @type {ReturnType<typeof cell<{id: number, text: string, kind: string}[]>>} */
const toasts = cell([]);
let last = 0;

/** @param {string} text @param {"done" | "wrong"} kind */
export function toast(text, kind = "done") {
  const id = ++last;
  toasts.set([...toasts.get().slice(-3), { id, text, kind }]);
  setTimeout(() => toasts.set(toasts.get().filter((one) => one.id !== id)), kind === "wrong" ? 8000 : 4000);
}

/** Do something, and say what came of it. @template T @param {Promise<T>} work @param {string} [said] */
export async function tell(work, said) {
  try {
    const result = await work;
    if (said) toast(said);
    return result ?? true;
  } catch (error) {
    toast(error.message, "wrong");
    return null;
  }
}

export const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">
  ${useCell(toasts).map((one) => html`<div key=${one.id} class=${`toast ${one.kind}`}><${Icon} name=${one.kind === "wrong" ? "warn" : "check"} />${one.text}</div>`)}</div>`;

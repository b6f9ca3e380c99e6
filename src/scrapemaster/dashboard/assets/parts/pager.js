// From one page of a list to the next.
import { html } from "../app/ui.js";
import { count } from "../app/format.js";
import { Button } from "./button.js";

/** @param {{skip: number, limit: number, total: number, onSkip: (skip: number) => void, what?: string}} props */
export const Pager = ({ skip, limit, total, onSkip, what = "" }) => html`<nav class="pager" aria-label="Pages of the list">
  <span>${total ? `${count(skip + 1)}–${count(Math.min(total, skip + limit))} of ${count(total)}${what ? ` ${what}` : ""}` : ""}</span>
  <${Button} kind="quiet" icon="left" label="Previous page" disabled=${skip <= 0} onClick=${() => onSkip(Math.max(0, skip - limit))} />
  <${Button} kind="quiet" icon="right" label="Next page" disabled=${skip + limit >= total} onClick=${() => onSkip(skip + limit)} /></nav>`;

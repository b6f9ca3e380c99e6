// Nothing there, not there yet, gone wrong: each says what to do next.
import { html } from "../app/ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/** @param {{icon?: string, title: string, children?: any, action?: any}} props */
export const Empty = ({ icon = "list", title, children, action }) => html`<div class="empty"><span class="halo"><${Icon} name=${icon} size=${22} /></span>
  <h2>${title}</h2>${children && html`<p>${children}</p>`}${action}</div>`;

/** @param {{error: Error & {requestId?: string}, onRetry?: () => void}} props */
export const Wrong = ({ error, onRetry }) => html`<div class="empty wrong" role="alert"><span class="halo"><${Icon} name="warn" size=${22} /></span>
  <h2>That did not work</h2><p>${error.message}</p>${error.requestId && html`<p class="faint">Request <code>${error.requestId}</code> is in the service's log.</p>`}
  ${onRetry && html`<${Button} icon="retry" onClick=${onRetry}>Try again<//>`}</div>`;

/** @param {{rows?: number}} props */
export const Waiting = ({ rows = 6 }) => html`<div class="waiting" role="status" aria-label="Loading">
  ${Array.from({ length: rows }, (_, place) => html`<i key=${place}></i>`)}</div>`;

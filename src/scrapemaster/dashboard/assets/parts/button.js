// Buttons, and links that look like them.
import { html } from "../app/ui.js";
import { Icon } from "./icon.js";

/** @param {{kind?: "primary" | "plain" | "quiet" | "danger", icon?: string, busy?: boolean, href?: string, label?: string, children?: any}} props `label`: for readers of screens, when there is only an icon */
export function Button({ kind = "plain", icon, busy, href, label, children, small, ...rest }) {
  const content = html`${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}`;
  const names = `button ${kind}${children ? "" : " square"}${small ? " small" : ""}`;
  if (href) return html`<a class=${names} href=${href} aria-label=${label} title=${label} ...${rest}>${content}</a>`;
  return html`<button type="button" class=${names} aria-busy=${busy ? "true" : undefined} disabled=${busy || rest.disabled}
    aria-label=${label} title=${label} ...${rest}>${content}</button>`;
}

// Dialogs: the browser's own, which keep the focus inside and close on Escape.
import { html, render, useEffect, useRef } from "../app/ui.js";
import { Button } from "./button.js";

/** @param {{title: string, onClose: () => void, wide?: boolean, side?: boolean, children: any, footer?: any}} props */
export function Dialog({ title, onClose, wide, side, children, footer }) {
  const box = useRef(null);
  useEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  const outside = (event) => { if (event.target === box.current) onClose(); };
  return html`<dialog ref=${box} class=${side ? "side" : wide ? "wide" : ""} aria-label=${title} onClick=${outside}
      onCancel=${(event) => { event.preventDefault(); onClose(); }}>
    <div class="sheet"><header><h2>${title}</h2><${Button} kind="quiet" icon="cross" label="Close" onClick=${onClose} /></header>
    <div class="body" tabindex="0" role="region" aria-label=${title}>${children}</div>${footer && html`<footer>${footer}</footer>`}</div></dialog>`;
}

/**
 * Ask before something that cannot be taken back.
 *
 * @param {{title: string, text: string, action: string, danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, action, danger = true }) {
  return new Promise((resolve) => {
    const host = document.body.appendChild(document.createElement("div"));
    const done = (answer) => { render(null, host); host.remove(); resolve(answer); };
    render(html`<${Dialog} title=${title} onClose=${() => done(false)}
      footer=${html`<${Button} onClick=${() => done(false)}>Keep<//><${Button} kind=${danger ? "danger" : "primary"} onClick=${() => done(true)}>${action}<//>`}>
      <p>${text}</p><//>`, host);
  });
}

// A moment, told by its distance, with the date on hover.
import { html, useEffect, useState } from "../app/ui.js";
import { ago, moment } from "../app/format.js";

/** Drawn again now and then. @param {number} milliseconds */
export function useTick(milliseconds, on = true) {
  const [, turn] = useState(0);
  useEffect(() => {
    if (!on) return undefined;
    const timer = setInterval(() => turn((before) => before + 1), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds, on]);
}

/** @param {{at: string | null}} props */
export const Ago = ({ at }) => (at ? html`<time datetime=${at} title=${moment(at)}>${ago(at)}</time>` : html`<span class="faint">–</span>`);

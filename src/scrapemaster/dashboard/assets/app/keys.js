// Keyboard shortcuts: one key, or `g` and another.
import { useEffect, useRef } from "./ui.js";

/** @typedef {{keys: string, what: string, act: (event: KeyboardEvent) => void}} Shortcut */

/** @type {Set<Shortcut>} */
const known = new Set();
let leader = 0;

/** The shortcuts of the page as it is, for the help. */
export const shortcuts = () => [...known];

/** @param {Shortcut[]} list */
export function useKeys(list, deps = []) {
  const latest = useRef(list);
  latest.current = list;
  useEffect(() => {
    // What they do is looked up when they are pressed: a key may come before the effects of the one before it are run.
    const made = list.map((one, place) => ({ ...one, act: (event) => latest.current[place]?.act(event) }));
    for (const one of made) known.add(one);
    return () => { for (const one of made) known.delete(one); };
  }, deps);
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = event.target;
  if (event.key === "Escape" && at.matches?.("input[type=search]")) at.blur();
  if (at.closest?.("input, textarea, select, [contenteditable], dialog")) return;
  const keys = Date.now() - leader < 1000 ? `g ${event.key}` : event.key;
  leader = event.key === "g" && keys === "g" ? Date.now() : 0;
  for (const one of known) {
    if (one.keys === keys) {
      event.preventDefault();
      one.act(event);
      return;
    }
  }
});

// A value that components may watch.
import { useEffect, useState } from "./ui.js";

/**
 * @template T
 * @param {T} initial
 */
export function cell(initial) {
  let value = initial;
  const watchers = new Set();
  return {
    get: () => value,
    /** @param {T} next */
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const watcher of [...watchers]) watcher(value);
    },
    /** @param {(value: T) => void} watcher */
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

/** The value of a cell; the component is drawn again when it changes. */
export function useCell(source) {
  const [value, set] = useState(source.get());
  useEffect(() => {
    set(source.get());
    return source.watch((next) => set(() => next));
  }, [source]);
  return value;
}

// Asking for something when a component appears, and again when what it depends on changes.
import { useCallback, useEffect, useRef, useState } from "./ui.js";

/**
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} ask
 * @param {unknown[]} deps
 * @returns {{data: T | undefined, error: Error | null, loading: boolean, reload: () => void, set: (next: T) => void}}
 *   `data` stays while it is asked for again.
 */
export function useLoad(ask, deps) {
  const [state, setState] = useState({ data: undefined, error: null, loading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    const stop = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    latest.current(stop.signal).then(
      (data) => { if (!stop.signal.aborted) setState({ data, error: null, loading: false }); },
      (error) => { if (!stop.signal.aborted) setState((before) => ({ ...before, error, loading: false })); },
    );
    return () => stop.abort();
  }, [...deps, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const set = useCallback((data) => setState({ data, error: null, loading: false }), []);
  return { ...state, reload, set };
}

/** A value that follows another once that has been still for so many milliseconds. */
export function useStill(value, milliseconds) {
  const [still, setStill] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setStill(() => value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return still;
}

/** A value kept in this browser. @param {string} key */
export function useKept(key, initial) {
  const [value, setValue] = useState(() => {
    try {
      return JSON.parse(localStorage.getItem(key) ?? "null") ?? initial;
    } catch {
      return initial;
    }
  });
  const keep = useCallback((next) => {
    localStorage.setItem(key, JSON.stringify(next));
    setValue(next);
  }, [key]);
  return [value, keep];
}

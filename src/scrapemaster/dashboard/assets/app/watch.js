// All jobs of the caller, live: one request for as long as somebody looks.
import { cell } from "./cell.js";
import { follow } from "./stream.js";

/** @type {ReturnType<typeof cell<{status_counts: Record<string, number>, total_items_scraped: number} | null>>} */
export const counts = cell(null);
export const live = cell(false);

/** The latest of every job that changed since we watch, and its rates of late. */
export const changed = new Map();
const rates = new Map();
const watchers = new Set();
const RATES = 40;
const JOBS = 2_000;

/** @param {(job: any) => void} watcher */
export function onJob(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Pages a second at the last looks. @param {string} id @returns {number[]} */
export const ratesOf = (id) => rates.get(id) ?? [];

let stop = null;

export function watch() {
  if (stop) return;
  stop = new AbortController();
  follow("/events", (event, data) => {
    if (event === "counts") counts.set(data);
    if (event !== "job") return;
    const list = rates.get(data.id) ?? [];
    rates.set(data.id, [...list.slice(1 - RATES), data.rate]);
    changed.set(data.id, data);
    if (changed.size > JOBS) {
      const [oldest] = changed.keys();
      changed.delete(oldest);
      rates.delete(oldest);
    }
    for (const watcher of watchers) watcher(data);
  }, { signal: stop.signal, onState: (on) => live.set(on) });
}

export function unwatch() {
  stop?.abort();
  stop = null;
  changed.clear();
  rates.clear();
  counts.set(null);
  live.set(false);
}

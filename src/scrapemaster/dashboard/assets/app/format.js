// Figures for people.

const number = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** @param {number} value */
export const count = (value) => number.format(value);
/** @param {number} value */
export const compact = (value) => (value < 10_000 ? number.format(value) : short.format(value));

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let place = 0;
  let value = bytes;
  while (value >= 1000 && place < units.length - 1) { value /= 1000; place += 1; }
  return `${value >= 100 || place === 0 ? Math.round(value) : value.toFixed(1)} ${units[place]}`;
}

/** @param {number | null | undefined} seconds */
export function span(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds < 0.001) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.round((seconds % 86_400) / 3600)} h`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [7, "day"], [4.345, "week"], [12, "month"], [Infinity, "year"]];

/** @param {string | null} time ISO 8601 */
export function ago(time) {
  if (!time) return "–";
  let value = (Date.parse(time) - Date.now()) / 1000;
  if (Math.abs(value) < 5) return "just now";
  for (const [length, unit] of STEPS) {
    if (Math.abs(value) < length) return relative.format(Math.round(value), unit);
    value /= length;
  }
  return "";
}

const full = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
/** @param {string} time */
export const moment = (time) => full.format(new Date(time));
/** @param {string} time */
export const hour = (time) => clock.format(new Date(time));

/** @param {number} share 0 to 1 */
export const percent = (share) => `${share === 1 || share === 0 ? share * 100 : (share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

/** `1 row`, `2 rows` */
export const plural = (amount, word) => `${count(amount)} ${word}${amount === 1 ? "" : "s"}`;

/** An address without what all have in common. @param {string} url */
export const bare = (url) => url.replace(/^https?:\/\/(www\.)?/, "").replace(/\/$/, "");

// The state of a job, as a word with a mark: never by colour alone.
import { html } from "../app/ui.js";

const WORDS = {
  pending: "Pending", running: "Running", paused: "Paused", completed: "Completed", failed: "Failed", cancelled: "Cancelled",
};

/** @param {{value: string}} props */
export const Status = ({ value }) => html`<span class=${`status ${value}`}><i aria-hidden="true"></i>${WORDS[value] ?? value}</span>`;

export const OVER = new Set(["completed", "failed", "cancelled"]);
export const STATES = Object.keys(WORDS);
export const stateWord = (value) => WORDS[value] ?? value;

/** How far a job is. @param {{value: number, status: string, label?: string}} props */
export const Progress = ({ value, status, label = "Progress" }) => html`
  <div class=${`progress ${status}`} role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${value}>
    <i style=${{ transform: `scaleX(${Math.max(0, Math.min(1, value / 100))})` }}></i></div>`;

// A line without axes.
import { html } from "../app/ui.js";

/** @param {{values: number[], width?: number, height?: number}} props */
export function Spark({ values, width = 72, height = 22 }) {
  if (values.length < 2) return html`<span class="spark none" aria-hidden="true"></span>`;
  const most = Math.max(...values, 0.001);
  const step = width / (values.length - 1);
  const points = values.map((value, place) => `${(place * step).toFixed(1)} ${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`);
  return html`<svg class="spark" width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} aria-hidden="true">
    <path class="area" d=${`M0 ${height}L${points.join("L")}L${width} ${height}Z`} />
    <path class="line" d=${`M${points.join("L")}`} /></svg>`;
}

// Charts over time, as SVG that follows the theme by itself.
import { html, useLayoutEffect, useRef, useState } from "../app/ui.js";
import { compact, span } from "../app/format.js";

/** @typedef {{name: string, tone: string, values: number[]}} Series */

const HEIGHT = 150;
const LEFT = 54;
const BOTTOM = 20;
const TOP = 8;

/**
 * Areas stacked on each other, or lines. A table of the same figures is there for readers of screens.
 *
 * @param {{title: string, at: number[], seconds: number, series: Series[], stacked?: boolean, format?: (value: number) => string, unit?: string}} props
 */
export function Chart({ title, at, seconds, series, stacked = false, format = compact, unit = "" }) {
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  const [near, setNear] = useState(-1);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const shown = series.filter((one) => one.values.some((value) => value > 0));
  const drawn = (shown.length ? shown : series.slice(0, 1));
  const sums = at.map((_, place) => drawn.reduce((sum, one) => sum + one.values[place], 0));
  const most = niceTop(Math.max(...(stacked ? sums : drawn.flatMap((one) => one.values))) || 1);
  const end = at.length ? at[at.length - 1] + seconds : 1;
  const x = (time) => LEFT + (time / end) * Math.max(1, width - LEFT - 8);
  const y = (value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
  const floor = at.map(() => 0);
  const middle = at.map((time) => x(time + seconds / 2));
  const paths = drawn.map((one) => {
    const tops = one.values.map((value, place) => (stacked ? (floor[place] += value) : value));
    const below = stacked ? tops.map((top, place) => top - one.values[place]) : at.map(() => 0);
    const line = tops.map((top, place) => `${middle[place].toFixed(1)} ${y(top).toFixed(1)}`);
    const back = below.map((low, place) => `${middle[place].toFixed(1)} ${y(low).toFixed(1)}`).reverse();
    return { ...one, line: `M${line.join("L")}`, area: `M${line.join("L")}L${back.join("L")}Z` };
  });
  const move = (event) => {
    const place = (event.clientX - box.current.getBoundingClientRect().left - LEFT) / Math.max(1, width - LEFT - 8) * end;
    let best = -1;
    at.forEach((time, index) => { if (best < 0 || Math.abs(time + seconds / 2 - place) < Math.abs(at[best] + seconds / 2 - place)) best = index; });
    setNear(best);
  };
  return html`<figure class=${`chart${stacked ? " stacked" : ""}`}>
    <figcaption><span>${title}</span>
      <span class="legend">${drawn.length > 1 && drawn.map((one) => html`<span class=${`tone ${one.tone}`}><i></i>${one.name}</span>`)}</span></figcaption>
    <div class="plot" ref=${box} onPointerMove=${move} onPointerLeave=${() => setNear(-1)}>
      ${width > 0 && html`<svg width=${width} height=${HEIGHT} role="img" aria-label=${`${title}: ${described(drawn, format, unit)}`}>
        ${[0, 0.5, 1].map((part) => html`<g class="rule"><line x1=${LEFT} x2=${width - 8} y1=${y(most * part)} y2=${y(most * part)} />
          <text x=${LEFT - 8} y=${y(most * part) + 4} text-anchor="end">${format(most * part)}</text></g>`)}
        ${[0, 0.5, 1].map((part) => html`<text class="tick" x=${x(end * part)} y=${HEIGHT - 4} text-anchor=${part === 0 ? "start" : part === 1 ? "end" : "middle"}>${part === 0 ? "start" : span(end * part)}</text>`)}
        ${at.length > 2 && paths.map((one) => html`<g class=${`tone ${one.tone}`}><path class="area" d=${one.area} /><path class="line" d=${one.line} /></g>`)}
        ${at.length <= 2 && html`<${Bars} series=${drawn} middle=${middle} y=${y} stacked=${stacked} room=${Math.max(8, Math.min(56, (width - LEFT) / at.length / 3))} />`}
        ${near >= 0 && html`<line class="near" x1=${middle[near]} x2=${middle[near]} y1=${TOP} y2=${HEIGHT - BOTTOM} />`}
      </svg>`}
      ${near >= 0 && html`<div class=${`tip${middle[near] > width / 2 ? " before" : ""}`} style=${{ left: `${middle[near]}px` }}>
        <b>${span(at[near])}</b>${drawn.map((one) => html`<span class=${`tone ${one.tone}`}><i></i>${one.name}<em>${format(one.values[near])}${unit}</em></span>`)}</div>`}
    </div></figure>`;
}

/** Too few points for a line. */
function Bars({ series, middle, y, stacked, room }) {
  const each = stacked ? room : room / series.length;
  return middle.map((center, place) => {
    let base = 0;
    return series.map((one, index) => {
      const from = stacked ? base : 0;
      base += one.values[place];
      const left = stacked ? center - room / 2 : center - room / 2 + index * each;
      return html`<rect class=${`tone ${one.tone} bar`} x=${left} y=${y(from + one.values[place])} width=${Math.max(2, each - 2)} height=${Math.max(0, y(from) - y(from + one.values[place]))} rx="2" />`;
    });
  });
}

const described = (series, format, unit) => series
  .map((one) => `${one.name} up to ${format(Math.max(0, ...one.values))}${unit}, last ${format(one.values.at(-1) ?? 0)}${unit}`).join("; ");

/** The next round figure. @param {number} value */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

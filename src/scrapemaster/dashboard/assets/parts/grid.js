// A table of any length: only the rows in sight are drawn, and only their blocks asked for.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../app/ui.js";

const ROW = 34;
/** Browsers draw nothing higher than some 17 million pixels: above this, the scroll bar stands for more rows than pixels. */
const HIGHEST = 8_000_000;
const BLOCK = 100;
const BLOCKS_KEPT = 80;

/**
 * Rows by number, asked for in blocks.
 *
 * @param {(skip: number, limit: number, signal: AbortSignal) => Promise<any[]>} ask
 * @param {unknown[]} deps what makes the rows others
 */
export function useBlocks(ask, total, deps) {
  const [, turn] = useState(0);
  const blocks = useMemo(() => ({ rows: new Map(), asked: new Map(), error: null }), deps);
  const seen = useRef(total);
  // A block that was not full may have grown.
  if (total > seen.current) blocks.rows.delete(Math.floor(seen.current / BLOCK));
  seen.current = total;
  useEffect(() => () => { for (const stop of blocks.asked.values()) stop.abort(); }, [blocks]);
  return {
    error: blocks.error,
    row: (place) => blocks.rows.get(Math.floor(place / BLOCK))?.[place % BLOCK],
    want(first, last) {
      for (let block = Math.floor(first / BLOCK); block <= Math.floor(last / BLOCK); block += 1) {
        if (blocks.rows.has(block) || blocks.asked.has(block)) continue;
        const stop = new AbortController();
        blocks.asked.set(block, stop);
        ask(block * BLOCK, BLOCK, stop.signal).then(
          (rows) => {
            blocks.rows.set(block, rows);
            blocks.error = null;
            if (blocks.rows.size > BLOCKS_KEPT) blocks.rows.delete(blocks.rows.keys().next().value);
          },
          (error) => { if (error.name !== "AbortError") blocks.error = error; },
        ).finally(() => { blocks.asked.delete(block); turn((before) => before + 1); });
      }
    },
    /** Blocks that nobody looks at any more need not be fetched. */
    forget(first, last) {
      for (const [block, stop] of blocks.asked) {
        if (block < Math.floor(first / BLOCK) || block > Math.floor(last / BLOCK)) stop.abort();
      }
    },
  };
}

/**
 * @param {{label: string, total: number, columns: {id: string, name: string, width?: number, cell: (row: any) => any}[], rowAt: (place: number) => any,
 *   onRange?: (first: number, last: number) => void, onOpen?: (place: number) => void, chosen?: number}} props
 */
export function Grid({ label, total, columns, rowAt, onRange, onOpen, chosen = -1 }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 480 });
  const [active, setActive] = useState(0);
  const full = total * ROW;
  const height = Math.min(full, HIGHEST);
  const inSight = Math.ceil(view.height / ROW) + 1;
  const room = Math.max(1, height - view.height);
  // Scrolled to the end, the last row is at the bottom, however many rows a pixel stands for.
  const start = full <= HIGHEST ? view.top / ROW : Math.min(1, view.top / room) * Math.max(0, total - view.height / ROW);
  const first = Math.max(0, Math.min(total - 1, Math.floor(start)));
  const last = Math.min(total - 1, first + inSight);
  const shift = full <= HIGHEST ? first * ROW : view.top - (start - first) * ROW;

  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => setView((before) => ({ ...before, height: box.current.clientHeight - ROW })));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    if (total <= 0) return undefined;
    const timer = setTimeout(() => onRange?.(Math.max(0, first - 20), Math.min(total - 1, last + 20)), 40);
    return () => clearTimeout(timer);
  }, [first, last, total, onRange]);

  const scrollTo = (place) => {
    const node = box.current;
    if (full <= HIGHEST) {
      if (place * ROW < node.scrollTop) node.scrollTop = place * ROW;
      else if ((place + 1) * ROW > node.scrollTop + view.height) node.scrollTop = (place + 1) * ROW - view.height;
    } else if (place < first || place >= first + inSight - 2) {
      node.scrollTop = (place / Math.max(1, total - view.height / ROW)) * room;
    }
  };
  const keys = (event) => {
    const pageful = inSight - 2;
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + pageful, PageUp: active - pageful, Home: 0, End: total - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const place = Math.max(0, Math.min(total - 1, to));
      setActive(place);
      scrollTo(place);
    } else if (event.key === "Enter") onOpen?.(active);
  };
  const tracks = columns.map((one) => (one.width ? `${one.width}px` : "minmax(140px, 1fr)")).join(" ");
  const width = columns.reduce((sum, one) => sum + (one.width ?? 140), 0);
  const rows = [];
  for (let place = first; place <= last && total > 0; place += 1) {
    const row = rowAt(place);
    rows.push(html`<div key=${place} role="row" aria-rowindex=${place + 2} class=${`row${place === active ? " active" : ""}${place === chosen ? " chosen" : ""}`}
      style=${{ gridTemplateColumns: tracks, top: `${shift + (place - first) * ROW}px` }} onClick=${() => { setActive(place); onOpen?.(place); }}>
      ${columns.map((one) => html`<div key=${one.id} role="cell">${row === undefined ? html`<i class="bone"></i>` : one.cell(row, place)}</div>`)}</div>`);
  }
  return html`<div class="grid" ref=${box} role="table" aria-label=${label} aria-rowcount=${total + 1} tabindex="0" onKeyDown=${keys}
      onScroll=${(event) => setView({ top: event.target.scrollTop, height: event.target.clientHeight - ROW })}>
    <div role="rowgroup" class="head" style=${{ minWidth: `${width}px` }}><div role="row" aria-rowindex="1" style=${{ gridTemplateColumns: tracks }}>
      ${columns.map((one) => html`<div key=${one.id} role="columnheader" title=${one.name}>${one.name}</div>`)}</div></div>
    <div role="rowgroup" class="rows" style=${{ height: `${height}px`, minWidth: `${width}px` }}>${rows}</div></div>`;
}

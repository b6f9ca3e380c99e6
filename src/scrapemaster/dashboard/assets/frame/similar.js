// From two things of one kind to all of them. Pure: takes elements, returns selectors.
import { goodClasses, namesOf, selectorFor } from "./selector.js";

/** The nearest element that holds both. */
export function common(one, two) {
  let node = one;
  while (node && !node.contains(two)) node = node.parentElement;
  return node;
}

/** The steps from an element up to, without, an ancestor; the lowest first. */
function steps(element, above) {
  const path = [];
  for (let node = element; node && node !== above; node = node.parentElement) path.push(node);
  return path;
}

const alike = (one, two) => one.localName === two.localName && (() => {
  const [a, b] = [goodClasses(one), goodClasses(two)];
  return a.length === 0 || b.length === 0 ? a.length === b.length : a.some((name) => b.includes(name));
})();

/** Whether two elements stand for the same thing of two brothers: their ways up are alike. */
export function areAlike(one, two) {
  if (one === two || one.contains(two) || two.contains(one) || !alike(one, two)) return false;
  const top = common(one, two);
  const [a, b] = [steps(one, top), steps(two, top)];
  return a.length === b.length && a.every((node, place) => alike(node, b[place]));
}

/**
 * The list that two alike elements are of: a selector of its items, or null.
 *
 * @param {Element} one
 * @param {Element} two
 * @returns {{item: string, count: number, within: Element} | null} `within` is the item that holds `one`
 */
export function listOf(one, two) {
  const top = common(one, two);
  const [a, b] = [steps(one, top), steps(two, top)];
  const root = one.ownerDocument;
  // The largest part that holds one of them and not the other: a card rather than the heading in it. Not the row of a grid that holds several.
  for (let level = a.length - 1; level >= 0; level -= 1) {
    const [mine, others] = [a[level], b[level]];
    const like = [...mine.querySelectorAll(one.localName)].filter((node) => alike(node, one)).length;
    // Cells of a table are alike, and its rows are what is wanted all the same.
    if (mine !== one && like > 1 && mine.localName !== "tr") continue;
    const css = itemSelector(mine, others, top, root);
    if (css) return { item: css, count: root.querySelectorAll(css).length, within: mine };
  }
  return null;
}

function itemSelector(mine, others, top, root) {
  const candidates = [];
  const names = namesOf(mine, { ids: false });
  const aboves = [];
  for (let node = top, depth = 0; node && !["body", "html"].includes(node.localName) && depth < 4; node = node.parentElement, depth += 1) {
    aboves.push(...namesOf(node).filter((name) => name.cost < (depth ? 5 : 6)).map((name) => ({ ...name, cost: name.cost + depth * 0.4, depth })));
  }
  for (const name of names) {
    candidates.push({ css: name.css, cost: name.cost + (/^[a-z0-9]+$/.test(name.css) ? (aboves.length ? 4 : 1) : 0) });
    for (const above of aboves) {
      if (above.depth === 0) candidates.push({ css: `${above.css} > ${name.css}`, cost: name.cost + above.cost + 0.8 });
      if (above.depth > 0 || mine.parentElement !== top) candidates.push({ css: `${above.css} ${name.css}`, cost: name.cost + above.cost + 0.6 });
    }
  }
  candidates.sort((one, two) => one.cost - two.cost);
  const brothers = [...(mine.parentElement?.children ?? [])].filter((node) => alike(node, mine)).length;
  for (const { css } of candidates) {
    const found = [...root.querySelectorAll(css)];
    if (!found.includes(mine) || !found.includes(others)) continue;
    // Every one is of the same make, none is inside another, and no brother is left out.
    if (!found.every((node) => node.localName === mine.localName) || found.some((node) => found.some((other) => other !== node && other.contains(node)))) continue;
    if (found.length < brothers) continue;
    // Things far from the two that happen to be named alike are no items of this list.
    if (found.filter((node) => alike(node, mine)).length < found.length * 0.9) continue;
    return css;
  }
  return null;
}

/**
 * A selector of an element within each item: it finds this one first in its item, and something in most of the others.
 *
 * @param {Element} element
 * @param {Element} within
 * @param {Element[]} items
 */
export function fieldSelector(element, within, items) {
  if (element === within) return "";
  const sample = items.slice(0, 40);
  const counts = (css) => {
    try {
      return sample.map((item) => item.querySelectorAll(css).length);
    } catch {
      return [];
    }
  };
  const first = (css) => { try { return within.querySelector(css) === element; } catch { return false; } };
  const strict = (css) => { const all = counts(css); return first(css) && all.every((count) => count <= 1) && all.filter(Boolean).length >= sample.length * 0.5; };
  const found = selectorFor(element, within, strict, { ids: false });
  if (strict(found)) return found;
  const loose = selectorFor(element, within, first, { ids: false });
  return first(loose) ? loose : found;
}

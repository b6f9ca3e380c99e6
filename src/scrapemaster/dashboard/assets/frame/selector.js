// A selector for an element that will still find it tomorrow. Pure: takes elements, returns text.

/** Names that machines make: hashes, build marks, counters, states, utilities. */
const HASHED = /(^|[-_])(?=[a-z0-9]*\d)(?=[a-z0-9]*[a-z])[a-z0-9]{5,}$|^[a-z]{1,3}[A-Z0-9][A-Za-z0-9]{3,}$|__[A-Za-z0-9+/]{5,}$|^(css|sc|jsx|svelte|emotion|chakra|mui|makestyles|tss)-|^(ember|react|ng|v|_)-?[\w-]*\d|\d{4,}|^[a-f0-9]{6,}$|^_|--?[A-Z0-9][A-Za-z0-9]*\d/;
const STATE = /^(is|has|js|no)-|^(active|open|closed|selected|hover|focus|visible|hidden|show|hide|first|last|odd|even|current|disabled|loading|loaded|lazy|lazyload(ed)?|animated|fade|in|clearfix|sm-[\w-]+)$/i;
const UTILITY = /^-?(m|p|w|h|z|gap|top|left|right|bottom|inset|col|row|grid|flex|d|text|bg|border|rounded|shadow|font|leading|tracking|items|justify|self|order|opacity|overflow|position|float|align|min|max|space|divide|ring|cursor|select|transition|duration|ease|delay|container|mt|mb|ml|mr|mx|my|pt|pb|pl|pr|px|py)(-|$)|[:[\]/@!.%]|^(block|inline|inline-block|flex|grid|table|absolute|relative|fixed|sticky|static|truncate|uppercase|lowercase|capitalize|italic|underline|antialiased|group|peer|row|col|clear|left|right|center|pull-left|pull-right|small|large|bold)$/;
/** Attributes made for finding things, the best first. */
const TELLING = ["itemprop", "data-testid", "data-test", "data-test-id", "data-qa", "data-cy", "data-role", "data-field", "data-name", "data-type", "data-component", "data-hook", "property", "name", "rel", "role", "itemtype"];
const OWN = "data-sm-";

/** Whether a person chose this name. @param {string} name */
export const handMade = (name) => name.length > 1 && name.length < 40 && !HASHED.test(name) && !STATE.test(name) && !UTILITY.test(name);

const escaped = (name) => CSS.escape(name);
const quoted = (value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

/** Classes of an element that a person chose. @param {Element} element */
export const goodClasses = (element) => [...element.classList].filter(handMade);

/**
 * Ways to name one element, the best first, each with what it costs.
 *
 * @param {Element} element
 * @param {{ids?: boolean}} [options] `ids`: an id may be used; not where the same thing is to be found many times
 * @returns {{css: string, cost: number}[]}
 */
export function namesOf(element, { ids = true } = {}) {
  const tag = element.localName;
  const found = [];
  if (ids && element.id && handMade(element.id) && !/\d{2,}/.test(element.id)) found.push({ css: `#${escaped(element.id)}`, cost: 0 });
  for (const name of TELLING) {
    const value = element.getAttribute(name);
    if (value && value.length < 60 && !/\d{3,}|\s{2,}/.test(value)) found.push({ css: `[${name}=${quoted(value)}]`, cost: name === "itemprop" ? 1 : 2 });
  }
  for (const attribute of element.attributes) {
    const { name, value } = attribute;
    if (name.startsWith("data-") && !name.startsWith(OWN) && !TELLING.includes(name) && !/\d/.test(name)) {
      if (value && value.length < 24 && /^[a-z][a-z-]*$/i.test(value)) found.push({ css: `[${name}=${quoted(value)}]`, cost: 4 });
      else if (name.length < 24) found.push({ css: `${tag}[${name}]`, cost: 4 });
    }
  }
  const classes = goodClasses(element);
  for (const one of classes) found.push({ css: `.${escaped(one)}`, cost: 1.5 }, { css: `${tag}.${escaped(one)}`, cost: 1.9 });
  if (classes.length > 1) found.push({ css: `${tag}${classes.slice(0, 3).map((one) => `.${escaped(one)}`).join("")}`, cost: 2.6 });
  found.push({ css: tag, cost: SEMANTIC.has(tag) ? 2.2 : BARE });
  for (const one of element.classList) if (!handMade(one) && !STATE.test(one) && !one.startsWith("sm-") && /^[\w-]+$/.test(one)) found.push({ css: `${tag}.${escaped(one)}`, cost: 12 });
  return found.sort((one, two) => one.cost - two.cost);
}

const SEMANTIC = new Set("h1 h2 h3 h4 article main nav header footer aside time address figure figcaption blockquote dl dt dd th caption summary label price img table".split(" "));

/** What naming an element by its place costs at least. */
const PLACE = 14;
/** What a tag costs that says nothing of its contents. */
const BARE = 5;

/** The element among its brothers. @param {Element} element */
function placed(element) {
  const tag = element.localName;
  const same = element.parentElement ? [...element.parentElement.children].filter((one) => one.localName === tag) : [element];
  return same.length === 1 ? tag : `${tag}:nth-of-type(${same.indexOf(element) + 1})`;
}

function matches(root, css) {
  try {
    return root.querySelectorAll(css);
  } catch {
    return [];
  }
}

/**
 * The best selector that finds exactly `element` below `root`.
 *
 * @param {Element} element
 * @param {ParentNode} root
 * @param {(css: string) => boolean} [good] more that it must hold; without it, that it finds the element alone
 * @param {{ids?: boolean}} [options]
 */
export function selectorFor(element, root, good, options) {
  const alone = good ?? ((css) => { const found = matches(root, css); return found.length === 1 && found[0] === element; });
  const own = namesOf(element, options);
  for (const one of own) if (one.cost < BARE && alone(one.css)) return one.css;
  const above = [];
  for (let node = element.parentElement, depth = 1; node && node !== root && node !== node.ownerDocument.documentElement && depth <= 6; node = node.parentElement, depth += 1) above.push({ node, depth });
  // A tag alone says little: the same below something that says more goes first.
  const pairs = own.filter((one) => one.cost >= BARE && one.cost < PLACE).map((one) => ({ css: one.css, cost: one.cost + 3 }));
  for (const { node, depth } of above) {
    for (const name of namesOf(node, options)) {
      for (const one of own) {
        if (node.localName === "body" && name.cost > 3) continue;
        pairs.push({ css: `${name.css} ${one.css}`, cost: one.cost + name.cost + depth * 0.4 });
        if (depth === 1) pairs.push({ css: `${name.css} > ${one.css}`, cost: one.cost + name.cost + 0.8 });
      }
    }
  }
  // The place among brothers, below something that has a name.
  const spot = placed(element);
  for (const { node, depth } of above) {
    for (const name of namesOf(node, options)) {
      if (name.cost > BARE) continue;
      pairs.push({ css: `${name.css} ${spot}`, cost: PLACE + name.cost + depth * 0.4 });
      if (depth === 1) for (const one of own) pairs.push({ css: `${name.css} > ${one.css}${spot.replace(/^[^:]*/, "")}`, cost: PLACE + 0.5 + name.cost + one.cost });
      if (depth === 2) pairs.push({ css: `${name.css} > ${placed(above[0].node)} > ${spot}`, cost: PLACE + 2 + name.cost });
    }
  }
  // A heading or a label just before it says what a cell is; position in a table is then the row's.
  pairs.sort((one, two) => one.cost - two.cost);
  const best = pairs.slice(0, 600).find((one) => alone(one.css));
  if (best && best.cost < PLACE) return best.css;
  // The first of several, by name, lasts longer than one by its place: the first match is what is taken.
  if (!good) {
    const first = [...own, ...pairs].filter((one) => one.cost < PLACE).sort((one, two) => one.cost - two.cost).find((one) => matches(root, one.css)[0] === element && !/^[a-z0-9]+$/.test(one.css));
    if (first) return first.css;
  }
  if (best) return best.css;
  return pathTo(element, root, alone);
}

/** From the nearest ancestor with a good name, or from the root, each step by its place. */
function pathTo(element, root, alone) {
  const steps = [placed(element)];
  for (let node = element.parentElement; node && node !== root && node.localName !== "html"; node = node.parentElement) {
    const named = namesOf(node)[0];
    if (named && named.cost <= 2) {
      const css = `${named.css} > ${steps.join(" > ")}`;
      if (alone(css)) return css;
    }
    steps.unshift(placed(node));
    if (node.localName === "body") break;
  }
  return steps.join(" > ");
}

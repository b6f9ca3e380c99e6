// Inside the sandboxed frame: shows the page, tells which element was chosen. It knows no token and can reach nobody but its parent.
import { selectorFor } from "./selector.js";
import { areAlike, fieldSelector, listOf } from "./similar.js";

const MOVED = "data-sm-";
/** Looks of the marks; classes cannot clash with the page's, as attributes are ours. */
const MARKS = `
[data-sm-hover] { outline: 2px solid #0f9d8f !important; outline-offset: 1px !important; cursor: crosshair !important; }
[data-sm-item] { outline: 1.5px dashed #8a63d2 !important; outline-offset: 3px !important; }
[data-sm-field] { box-shadow: 0 0 0 2px var(--sm-tone, #0f766e) !important; border-radius: 3px !important; background-color: color-mix(in srgb, var(--sm-tone, #0f766e) 16%, transparent) !important; }
[data-sm-flash] { animation: sm-flash 0.9s ease-out !important; }
@keyframes sm-flash { 0%, 60% { box-shadow: 0 0 0 5px var(--sm-tone, #0f766e); } }
html { cursor: crosshair; }
* { scroll-margin: 60px; }`;
/** What stands for pictures, which are not loaded. */
const PICTURE = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80" viewBox="0 0 120 80"><rect width="120" height="80" fill="#8a9a98" opacity=".22"/><g fill="none" stroke="#6b7b79" stroke-width="2.5" opacity=".7" stroke-linejoin="round"><path d="M38 56l16-18 11 12 7-7 11 13z"/><circle cx="74" cy="30" r="4.5"/></g></svg>')}`;
/** Where there are no styles at all, a page is to be readable all the same. */
const PLAIN = "body { font: 15px/1.5 system-ui, sans-serif; max-width: 860px; margin: 24px auto; padding: 0 16px; }";

let hovered = null;
let picks = [];
let item = "";

const say = (message) => parent.postMessage(message, "*");

addEventListener("message", (event) => {
  if (event.source !== parent) return;
  const message = event.data;
  if (message.type === "page") show(message);
  else if (message.type === "marks") mark(message);
  else if (message.type === "forget") picks = [];
  else if (message.type === "around") around(message.step);
  else if (message.type === "flash") flash(message.css);
});

/** Put the page in, as elements made from text that was parsed where nothing runs. */
function show({ html, css, item: asked }) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const node of page.querySelectorAll("script, iframe, frame, object, embed, link, meta, base, style, template")) node.remove();
  for (const node of page.querySelectorAll("*")) for (const { name } of [...node.attributes]) if (name.startsWith("on")) node.removeAttribute(name);
  const body = document.adoptNode(page.body);
  for (const { name, value } of [...page.documentElement.attributes]) if (name !== "style") document.documentElement.setAttribute(name, value);
  document.body.replaceWith(body);
  for (const node of document.querySelectorAll(`[${MOVED}style]`)) node.style.cssText = node.getAttribute(`${MOVED}style`);
  for (const node of document.querySelectorAll("img")) node.src = PICTURE;
  const sheets = [...css, ...(css.length ? [] : [PLAIN]), MARKS].map((text) => {
    const sheet = new CSSStyleSheet();
    try { sheet.replaceSync(text); } catch { /* a sheet that cannot be read styles nothing */ }
    return sheet;
  });
  document.adoptedStyleSheets = sheets;
  document.body.tabIndex = -1;
  picks = [];
  item = asked ?? "";
  scrollTo(0, 0);
  say({ type: "shown", elements: document.querySelectorAll("*").length });
}

const clean = (name) => { for (const node of document.querySelectorAll(`[${name}]`)) node.removeAttribute(name); };
const all = (css, root = document) => { try { return [...root.querySelectorAll(css)]; } catch { return []; } };

/** Show what the fields find. */
function mark({ item: asked, fields }) {
  item = asked ?? "";
  clean("data-sm-item");
  for (const node of document.querySelectorAll("[data-sm-field]")) { node.removeAttribute("data-sm-field"); node.style.removeProperty("--sm-tone"); }
  const items = item ? all(item) : [];
  for (const node of items) node.setAttribute("data-sm-item", "");
  const counts = {};
  for (const { name, css, tone } of fields) {
    const roots = item ? items : [document];
    const found = css === null ? [] : roots.flatMap((root) => (css === "" ? [root] : all(css, root)));
    for (const node of found.slice(0, 500)) {
      if (!node.style) continue;
      node.setAttribute("data-sm-field", name);
      node.style.setProperty("--sm-tone", tone);
    }
    counts[name] = found.length;
  }
  say({ type: "counts", items: items.length, counts });
}

function flash(css) {
  const [first] = all(css);
  if (!first) return;
  first.scrollIntoView({ block: "center", behavior: "smooth" });
  first.removeAttribute("data-sm-flash");
  requestAnimationFrame(() => first.setAttribute("data-sm-flash", ""));
}

function hover(element) {
  if (hovered === element) return;
  hovered?.removeAttribute("data-sm-hover");
  hovered = element && element !== document.body && element !== document.documentElement ? element : null;
  if (!hovered) return;
  hovered.setAttribute("data-sm-hover", "");
  say({ type: "hover", tag: label(hovered), text: textOf(hovered).slice(0, 80) });
}

const label = (element) => element.localName + (element.id ? `#${element.id}` : "") + [...element.classList].slice(0, 2).map((name) => `.${name}`).join("");
const textOf = (element) => (element.textContent ?? "").replace(/\s+/g, " ").trim();

/** What may be taken from an element. */
function described(element) {
  const attributes = {};
  for (const { name, value } of element.attributes) {
    if (["data-sm-hover", "data-sm-item", "data-sm-field", "data-sm-flash", "data-sm-style", "data-sm-pick", "class", "style"].includes(name)) continue;
    attributes[name.startsWith(MOVED) ? name.slice(MOVED.length) : name] = value.slice(0, 300);
  }
  let outer = element;
  while (outer.parentElement?.children.length === 1 && textOf(outer.parentElement) === textOf(outer) && outer.parentElement !== document.body) outer = outer.parentElement;
  const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data);
  return { tag: element.localName, label: label(element), text: textOf(element).slice(0, 300), first: (own[0] ?? "").trim() !== "", attributes, hint: hintOf(element) || hintOf(outer), outer: outer.localName };
}

/** A name for the field. */
function hintOf(element) {
  const before = element.previousElementSibling;
  const heading = ["th", "dt", "label"].includes(before?.localName) ? textOf(before) : "";
  return heading || element.getAttribute("itemprop") || element.getAttribute("property")?.replace(/^.*:/, "") || [...element.classList].find((name) => /^[a-z][a-z-]{1,24}$/i.test(name)) || "";
}

/** The element that has the text: a click beside a link in a heading means the link. */
function innermost(element) {
  let node = element;
  while (node.children.length === 1 && [...node.childNodes].every((child) => child.nodeType !== Node.TEXT_NODE || child.data.trim() === "") && node.localName !== "svg" && node.firstElementChild.localName !== "svg") node = node.firstElementChild;
  return node;
}

function pick(clicked, exact = false) {
  if (!clicked || clicked === document.body || clicked === document.documentElement) return;
  const element = exact ? clicked : innermost(clicked);
  const about = described(element);
  if (item) {
    const items = all(item);
    const within = items.find((node) => node.contains(element));
    if (!within) { say({ type: "outside", ...about }); return; }
    const css = fieldSelector(element, within, items);
    picks = [element];
    say({ type: "picked", ...about, css, count: items.length, hits: items.filter((node) => css === "" || all(css, node).length).length });
    return;
  }
  const twin = picks.find((one) => one.isConnected && areAlike(one, element));
  const list = twin && listOf(twin, element);
  if (list) {
    const items = all(list.item);
    // What was chosen before is told again, as it is called inside an item.
    const fields = picks.map((one) => {
      const within = items.find((node) => node.contains(one));
      return within ? { from: one.dataset.smPick, css: fieldSelector(one, within, items) } : { from: one.dataset.smPick, css: null };
    });
    say({ type: "list", item: list.item, count: list.count, fields, twin: twin.dataset.smPick });
    picks = [];
    return;
  }
  const id = String(performance.now());
  element.dataset.smPick = id;
  picks.push(element);
  const css = selectorFor(element, document);
  say({ type: "picked", ...about, id, css, count: all(css).length });
}

/** From the element chosen last to one around it. */
function around(step) {
  const from = picks.pop();
  if (!from) return;
  const to = { up: from.parentElement, down: from.firstElementChild, next: from.nextElementSibling, before: from.previousElementSibling }[step];
  if (!to || to === document.body) { picks.push(from); return; }
  say({ type: "dropped", id: from.dataset.smPick });
  pick(to, true);
}

document.addEventListener("pointerover", (event) => hover(event.target.closest("*")), true);
document.addEventListener("pointerleave", () => hover(null), true);
for (const name of ["click", "auxclick", "submit", "dragstart", "contextmenu", "mousedown"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (name === "click" && event.isTrusted) pick(event.target.closest("*"));
  }, true);
}
// Arrow keys walk through the page; Enter chooses.
addEventListener("keydown", (event) => {
  const at = hovered ?? document.body;
  const to = {
    ArrowDown: at.nextElementSibling ?? at.parentElement?.nextElementSibling, ArrowUp: at.previousElementSibling ?? at.parentElement,
    ArrowRight: at.firstElementChild, ArrowLeft: at.parentElement,
  }[event.key];
  if (to && to !== document.documentElement) { hover(to); to.scrollIntoView({ block: "nearest" }); }
  if (event.key === "Enter" && hovered) pick(hovered);
  if (event.key.startsWith("Arrow") || event.key === "Enter" || event.key === " ") event.preventDefault();
}, true);

say({ type: "ready" });

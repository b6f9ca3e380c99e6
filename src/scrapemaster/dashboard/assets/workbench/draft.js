// An order in the making. Pure: values in, values out.

/**
 * @typedef {{id: string, name: string, selector: string, transform: string, many: boolean, required: boolean, rest: object, about?: object}} Field
 * @typedef {{url: string, more: string, engine: string, item: string, fields: Field[], name: string, tags: string, priority: string, config: Record<string, any>,
 *   meta: object, scheduled: boolean, cron: string, timezone: string, hookUrl: string, hookEvents: string[]}} Draft
 */

export const TONES = ["#0f9d8f", "#3b82f6", "#d97706", "#a855f7", "#db2777", "#65a30d", "#0891b2", "#dc2626", "#7c3aed", "#ca8a04"];
export const tone = (place) => TONES[place % TONES.length];

/** @returns {Draft} */
export const empty = (url = "") => ({
  url, more: "", engine: "auto", item: "", fields: [], name: "", tags: "", priority: "normal", config: {}, meta: {},
  scheduled: false, cron: "0 6 * * *", timezone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC", hookUrl: "", hookEvents: ["job.completed", "job.failed"],
});

let last = 0;
export const newId = () => `f${++last}`;

/** A name that no other field has. @param {string} wanted @param {Field[]} fields */
export function freeName(wanted, fields) {
  const base = wanted.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 40) || "field";
  const taken = new Set(fields.map((one) => one.name));
  let name = base;
  for (let number = 2; taken.has(name); number += 1) name = `${base}_${number}`;
  return name;
}

/** What a name may be when the page gives none. @param {{tag: string, hint: string}} about */
export function guessName(about) {
  const hint = about.hint.replace(/^(product|item|card|entry|post)[-_](?=.)/, "");
  if (hint && !["product", "item", "card", "row", "col", "link"].includes(hint)) return hint;
  return { h1: "title", h2: "title", h3: "title", h4: "title", a: about.text ? "name" : "link", img: "image", time: "date", p: "text", li: "value", td: "value" }[about.outer ?? about.tag] ?? "field";
}

/** The selector of an element for what is wanted of it. @param {string} css @param {string} take `text`, `all`, `html`, or an attribute's name behind `@` */
export function taking(css, take) {
  const from = css === "" ? "" : css;
  if (take === "text") return `${from}::text`;
  if (take.startsWith("@")) return `${from}::attr(${take.slice(1)})`;
  return from || "xpath:.";
}

/** What is taken by a selector, and from where; `css` is null for what is no CSS. @param {Pick<Field, "selector" | "transform" | "rest">} field */
export function takenBy({ selector, transform, rest = {} }) {
  if (rest.type && rest.type !== "css") return { css: null, take: "" };
  if (selector === "xpath:." || selector === ".") return { css: "", take: transform.startsWith("text") ? "all" : "html" };
  if (/^(xpath:|\/|\.\/|\(|regex:|jsonpath:|\$)/.test(selector)) return { css: null, take: "" };
  const match = /^(.*?)\s*::(text|attr\(([^)]+)\))\s*$/s.exec(selector);
  if (!match) return { css: selector, take: rest.attr ? `@${rest.attr}` : transform.startsWith("text") ? "all" : "html" };
  return { css: match[1].trim(), take: match[2] === "text" ? "text" : `@${match[3].trim().replace(/^["']|["']$/g, "")}` };
}

/** What most want of an element. */
export function usualTake(about) {
  if (about.tag === "img" && about.attributes.src) return "@src";
  if (about.tag === "meta" && about.attributes.content !== undefined) return "@content";
  if (about.tag === "input" && about.attributes.value !== undefined) return "@value";
  if (about.text === "" && about.attributes.href) return "@href";
  return about.first || about.text === "" ? "text" : "all";
}

/** What most make of such a text. */
export function usualTransform(take, about) {
  if (take === "@href" || take === "@src") return "url";
  if (take === "all") return "text,squeeze";
  if (/^\s*(?:[€$£¥₹]|USD|EUR|GBP|CHF)\s*\d[\d.,\s]*$|^\s*\d[\d.,\s]*(?:[€$£¥₹]|USD|EUR|GBP|CHF|kr)\s*$/.test(about.text)) return "price";
  return "";
}

/** @param {Field} field */
export function selectorOf(field) {
  const transforms = field.transform.split(",").map((one) => one.trim()).filter(Boolean);
  if (!transforms.length && !field.many && !field.required && !Object.keys(field.rest).length) return field.selector;
  return {
    selector: field.selector, ...field.rest,
    ...(transforms.length ? { transform: transforms.length === 1 ? transforms[0] : transforms } : {}),
    ...(field.many ? { many: true } : {}), ...(field.required ? { required: true } : {}),
  };
}

/** @returns {Field} */
export function fieldOf(name, asked) {
  if (typeof asked === "string") return { id: newId(), name, selector: asked, transform: "", many: false, required: false, rest: {} };
  const { selector, transform = [], many = false, required = false, ...rest } = asked;
  return { id: newId(), name, selector, transform: Array.isArray(transform) ? transform.join(",") : transform, many, required, rest };
}

/** The selectors of a draft. */
export const selectorsOf = (draft) => Object.fromEntries(draft.fields.filter((one) => one.name && one.selector).map((one) => [one.name, selectorOf(one)]));

const lines = (text) => text.split(/[\n,]+/).map((one) => one.trim()).filter(Boolean);

/** Config without what is not set. */
export function configOf(draft) {
  const given = Object.entries(draft.config).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false && !(Array.isArray(value) && !value.length));
  const config = Object.fromEntries(given);
  // What is on by default is told when it is off.
  for (const name of ["respect_robots", "verify_tls"]) { if (draft.config[name] === false) config[name] = false; else delete config[name]; }
  return { ...(draft.item ? { item: draft.item } : {}), ...config };
}

/** The order, as `POST /jobs` takes it. @param {Draft} draft */
export function orderOfDraft(draft) {
  const urls = [draft.url.trim(), ...lines(draft.more)].filter(Boolean);
  const config = configOf(draft);
  const tags = lines(draft.tags);
  return {
    ...(urls.length > 1 ? { urls } : { url: urls[0] ?? "" }),
    selectors: selectorsOf(draft),
    ...(Object.keys(config).length ? { config } : {}),
    ...(draft.engine === "auto" ? {} : { engine: draft.engine }),
    ...(draft.priority === "normal" ? {} : { priority: draft.priority }),
    ...(draft.name.trim() ? { name: draft.name.trim() } : {}),
    ...(tags.length ? { tags } : {}),
    ...(Object.keys(draft.meta).length ? { meta: draft.meta } : {}),
    ...(draft.hookUrl.trim() ? { webhook_url: draft.hookUrl.trim(), webhook_events: draft.hookEvents } : {}),
  };
}

/** A schedule, as `POST /schedules` takes it. */
export const scheduleOfDraft = (draft) => ({ cron: draft.cron.trim(), timezone: draft.timezone, ...(draft.name.trim() ? { name: draft.name.trim() } : {}), job: orderOfDraft(draft) });

/** A draft of an order there is. @returns {Draft} */
export function draftOf(order) {
  const urls = order.urls ?? [order.url];
  const { item = "", ...config } = order.config ?? {};
  return {
    ...empty(urls[0]), more: urls.slice(1).join("\n"), engine: order.engine ?? "auto", item, config, priority: order.priority ?? "normal", name: order.name ?? "", tags: (order.tags ?? []).join(", "),
    meta: order.meta ?? {}, fields: Object.entries(order.selectors ?? {}).map(([name, asked]) => fieldOf(name, asked)), hookUrl: order.webhook_url ?? "", hookEvents: order.webhook_events?.length ? order.webhook_events : ["job.completed", "job.failed"],
  };
}

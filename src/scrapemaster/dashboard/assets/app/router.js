// Which page is shown: the address says it all.
import { cell, useCell } from "./cell.js";

const now = () => ({ path: location.pathname, query: new URLSearchParams(location.search) });

const place = cell(now());

export const usePlace = () => useCell(place);

/** Go to an address of ours. @param {string} to @param {{replace?: boolean}} [options] */
export function go(to, { replace = false } = {}) {
  if (to !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", to);
  const moved = place.get().path !== location.pathname;
  place.set(now());
  if (moved) scrollTo(0, 0);
}

/** Change the query of this address; what is empty goes. @param {Record<string, unknown>} changes */
export function setQuery(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === null || value === "" || value === false || value === 0) query.delete(name);
    else query.set(name, String(value));
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ""), { replace: true });
}

addEventListener("popstate", () => place.set(now()));

// Links of ours need no attribute: all that lead to this origin, but not to the API, are followed here.
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("a[href]");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname.startsWith("/api/") || link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  go(link.pathname + link.search);
});

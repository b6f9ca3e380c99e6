// Which other pages of the site a draft is tried on. Pure.

/** Two pages that are likely made like this one. @param {string} url @param {string[]} links @returns {string[]} */
export function samplesOf(url, links) {
  const here = new URL(url);
  const mine = here.pathname.split("/").filter(Boolean);
  const scored = links.flatMap((link) => {
    let there;
    try { there = new URL(link); } catch { return []; }
    if (there.origin !== here.origin || there.href.split("#")[0] === here.href.split("#")[0]) return [];
    const parts = there.pathname.split("/").filter(Boolean);
    let score = 0;
    if (there.pathname === here.pathname && there.search) score += /[?&](page|p|offset|start|pg)=\d+/.test(there.search) ? 9 : 3;
    if (parts.length === mine.length) score += 2 + parts.filter((part, place) => part === mine[place]).length * 3;
    if (mine.length && parts[0] === mine[0]) score += 1;
    if (/\/(login|sign|cart|account|search|about|contact|privacy|terms|impressum)/i.test(there.pathname)) score -= 6;
    return [{ link: there.href, score }];
  });
  return scored.sort((one, two) => two.score - one.score).slice(0, 2).map((one) => one.link);
}

/** The glob of the further pages of a list, where links show one. @param {string} url @param {string[]} links */
export function pagingOf(url, links) {
  const here = new URL(url);
  for (const link of links) {
    try {
      const there = new URL(link);
      const match = /[?&]((?:page|p|offset|start|pg)=)\d+/.exec(there.search);
      if (there.origin === here.origin && match && there.pathname === here.pathname) return `*${there.pathname}?*${match[1]}*`.replace("?*", there.search.startsWith(`?${match[1]}`) ? "?" : "?*");
    } catch { /* no address */ }
  }
  return "";
}

// The pages that a server would have rendered: of each framework the list, and the first items.
import { readFileSync, writeFileSync } from "node:fs";

const items = JSON.parse(readFileSync("items.json", "utf8"));
for (const app of ["react", "vue", "svelte"]) {
  const { render } = await import(`./out/server/${app}/server.js`);
  const pages = {};
  for (let first = 0; first < 2; first += 1) pages[`list/${first}`] = await render({ view: "list", data: items.slice(first * 6, first * 6 + 6) });
  for (const item of items.slice(0, 12)) pages[`item/${item.n}`] = await render({ view: "item", data: item });
  writeFileSync(`out/built/${app}/pages.json`, JSON.stringify(pages));
}

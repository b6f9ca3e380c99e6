// What this service can do, as its OpenAPI document tells: parts that it does not have are not shown.
import { cell } from "./cell.js";

/** @type {ReturnType<typeof cell<{proxies: boolean, workers: boolean, artefacts: boolean, browser: boolean, scrapy: boolean}>>} */
export const features = cell({ proxies: false, workers: false, artefacts: false, browser: false, scrapy: false });

export async function learn() {
  try {
    const { paths, components } = await (await fetch("/api/openapi.json")).json();
    const engines = components?.schemas?.JobBody?.properties?.engine?.description ?? "";
    const has = (name) => !new RegExp(`${name}[^;.]*not part of`).test(engines);
    features.set({
      proxies: "/api/v1/proxies" in paths,
      workers: "/api/v1/monitoring/workers" in paths,
      artefacts: Object.keys(paths).some((path) => path.startsWith("/api/v1/jobs/{job_id}/artefacts")),
      browser: has("browser"),
      scrapy: has("scrapy"),
    });
  } catch {
    // As if it had none of them.
  }
}

// Screenshots and other files that a browser made of the pages.
import { html, useEffect, useState } from "../app/ui.js";
import { get, request } from "../app/api.js";
import { useLoad } from "../app/load.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";

export function Shots({ job }) {
  const { data, error, reload } = useLoad((signal) => get(`/jobs/${job.id}/artefacts`, {}, signal).catch((problem) => { if (problem.status === 404) return []; throw problem; }), [job.id]);
  const all = Array.isArray(data) ? data : data?.artefacts ?? [];
  if (error) return html`<div class="card"><${Wrong} error=${error} onRetry=${reload} /></div>`;
  if (!data) return html`<div class="card"><${Waiting} /></div>`;
  if (!all.length) return html`<div class="card"><${Empty} icon="image" title="No screenshots">Jobs of the browser engine with <code>config.browser.screenshot</code> keep one of each page.<//></div>`;
  return html`<div class="shots">${all.map((one) => html`<${Shot} key=${one.id ?? one.name} job=${job} one=${one} />`)}</div>`;
}

function Shot({ job, one }) {
  const [address, setAddress] = useState("");
  const id = one.id ?? one.name;
  useEffect(() => {
    const stop = new AbortController();
    let made = "";
    request("GET", `/jobs/${job.id}/artefacts/${encodeURIComponent(id)}`, { signal: stop.signal })
      .then((answer) => answer.blob())
      .then((blob) => { if (blob.type.startsWith("image/")) { made = URL.createObjectURL(blob); setAddress(made); } })
      .catch(() => {});
    return () => { stop.abort(); if (made) URL.revokeObjectURL(made); };
  }, [id]);
  return html`<figure class="card shot">${address && html`<a href=${address} target="_blank" rel="noopener"><img src=${address} alt=${`Screenshot of ${one.url ?? id}`} loading="lazy" /></a>`}<figcaption class="cut">${one.url ?? id}</figcaption></figure>`;
}

// Screenshots and other files that a browser made of the pages.
import { html, useEffect, useState } from "../app/ui.js";
import { download, list, request } from "../app/api.js";
import { bare, count } from "../app/format.js";
import { useLoad } from "../app/load.js";
import { Button } from "../parts/button.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";
import { tell } from "../parts/toast.js";

export function Shots({ job }) {
  const { data, error, reload } = useLoad((signal) => list(`/jobs/${job.id}/artefacts`, { limit: 60 }, signal), [job.id, job.status]);
  if (error && !data) return html`<div class="card"><${Wrong} error=${error} onRetry=${reload} /></div>`;
  if (!data) return html`<div class="card"><${Waiting} /></div>`;
  if (!data.total) return html`<div class="card"><${Empty} icon="image" title="No screenshots">Jobs of the browser engine keep one of each page where “Screenshot” is on.<//></div>`;
  return html`<div class="shots">${data.rows.map((one) => html`<${Shot} key=${one.id} one=${one} />`)}</div>${data.total > data.rows.length && html`<p class="soft">${count(data.rows.length)} of ${count(data.total)} are shown; the API has them all.</p>`}`;
}

/** A picture is asked for with the token, and so shown from memory; a document is saved. */
function Shot({ one }) {
  const [address, setAddress] = useState("");
  const picture = one.media_type.startsWith("image/");
  useEffect(() => {
    if (!picture) return undefined;
    const stop = new AbortController();
    let made = "";
    request("GET", `/artefacts/${one.id}`, { signal: stop.signal })
      .then((answer) => answer.blob())
      .then((blob) => setAddress((made = URL.createObjectURL(blob))))
      .catch(() => {});
    return () => { stop.abort(); if (made) URL.revokeObjectURL(made); };
  }, [one.id]);
  return html`<figure class="card shot">${picture ? address && html`<img src=${address} alt=${`Screenshot of ${one.url}`} />` : html`<div class="paper">PDF</div>`}
    <figcaption><span class="cut" title=${one.url}>${bare(one.url)}</span><${Button} kind="quiet" small icon="down" label=${`Save the ${one.kind} of ${one.url}`} onClick=${() => tell(download(`/artefacts/${one.id}`))} /></figcaption></figure>`;
}

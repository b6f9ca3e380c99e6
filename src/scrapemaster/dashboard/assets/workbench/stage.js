// The page, in its frame.
import { html, useEffect, useRef, useState } from "../app/ui.js";
import { Button } from "../parts/button.js";
import { Empty, Waiting, Wrong } from "../parts/states.js";

const FRAME = new URL("../frame/frame.html", import.meta.url).href;

/**
 * @param {{look: any, loading: boolean, error: Error | null, marks: object, onPick: (message: any) => void, onCounts: (message: any) => void, command: {current: ((message: any) => void) | null}, onRetry: () => void}} props
 */
export function Stage({ look, loading, error, marks, onPick, onCounts, command, onRetry }) {
  const frame = useRef(null);
  const ready = useRef(false);
  const [over, setOver] = useState(null);
  const latest = useRef({});
  latest.current = { look, marks, onPick, onCounts };
  const send = (message) => { if (ready.current) frame.current?.contentWindow?.postMessage(message, "*"); };
  command.current = send;
  const show = () => {
    const { look: page, marks: now } = latest.current;
    if (!page?.html) return;
    send({ type: "page", html: page.html, css: page.css, item: now.item });
    send({ type: "marks", ...now });
  };
  useEffect(() => {
    const hear = (event) => {
      // The frame's origin is nobody's: who it is can be told by its window alone.
      if (event.source !== frame.current?.contentWindow) return;
      const message = event.data;
      if (message.type === "ready") { ready.current = true; show(); }
      else if (message.type === "hover") setOver(message);
      else if (message.type === "counts") latest.current.onCounts(message);
      else latest.current.onPick(message);
    };
    addEventListener("message", hear);
    return () => removeEventListener("message", hear);
  }, []);
  useEffect(show, [look]);
  useEffect(() => send({ type: "marks", ...marks }), [JSON.stringify(marks)]);
  const failed = look?.error;
  return html`<section class="card stage" aria-label="The page"><div class="stagebar">
      <span class="cut">${over ? html`<code>${over.tag}</code> <span class="faint">${over.text}</span>` : html`<span class="faint">${look?.html ? "Click what you want. Arrow keys and Enter work, too." : "The page appears here"}</span>`}</span>
      <${Button} kind="quiet" small icon="up" label="Take the element around the last one" disabled=${!look?.html} onClick=${() => send({ type: "around", step: "up" })} />
      <${Button} kind="quiet" small icon="caret" label="Take the first element inside the last one" disabled=${!look?.html} onClick=${() => send({ type: "around", step: "down" })} /></div>
    <div class="stagebox">
      <iframe ref=${frame} title="The page as the engine sees it" src=${FRAME} sandbox="allow-scripts" referrerpolicy="no-referrer" class=${look?.html && !failed ? "" : "gone"}></iframe>
      ${loading && html`<div class="cover"><${Waiting} rows=${8} /></div>`}
      ${!loading && error && html`<div class="cover"><${Wrong} error=${error} onRetry=${onRetry} /></div>`}
      ${!loading && !error && failed && html`<div class="cover"><${Wrong} error=${new Error(`${failed.detail} (${failed.reason})`)} onRetry=${onRetry} /></div>`}
      ${!loading && !error && !look && html`<div class="cover"><${Empty} icon="target" title="Which page?">Give an address above. The page is shown as the engine gets it: its scripts do not run, and its pictures are not loaded.<//></div>`}
    </div></section>`;
}

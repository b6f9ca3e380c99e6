// Server-Sent Events with a token: `EventSource` can send none.
import { ApiError, request } from "./api.js";

const PATIENCE = [1, 2, 5, 10, 30];

/**
 * Follow a stream until `signal` ends it or the server says that nothing follows. It comes back by itself when it breaks off.
 *
 * @param {string} path
 * @param {(event: string, data: any) => void} onEvent
 * @param {{signal: AbortSignal, last?: string, onState?: (live: boolean) => void}} options `last`: an event whose end is the end
 */
export async function follow(path, onEvent, { signal, last, onState = () => {} }) {
  let lastId = "";
  let failures = 0;
  while (!signal.aborted) {
    try {
      const answer = await request("GET", path, {
        signal,
        headers: { Accept: "text/event-stream", ...(lastId ? { "Last-Event-ID": lastId } : {}) },
      });
      if (answer.status === 204) return;
      onState(true);
      failures = 0;
      for await (const event of events(answer.body)) {
        if (event.id) lastId = event.id;
        if (event.data) onEvent(event.name, JSON.parse(event.data));
        if (event.name === last) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && [401, 403, 404].includes(error.status)) return;
      onState(false);
      failures += 1;
      await pause(Math.max(error.wait ?? 0, PATIENCE[Math.min(failures, PATIENCE.length) - 1]), signal);
      continue;
    }
    await pause(2, signal);
  }
}

/** @param {ReadableStream<Uint8Array>} body */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value.replaceAll("\r\n", "\n");
      let end;
      while ((end = text.indexOf("\n\n")) >= 0) {
        const event = { name: "message", data: "", id: "" };
        for (const line of text.slice(0, end).split("\n")) {
          const colon = line.indexOf(":");
          if (colon <= 0) continue;
          const content = line.slice(colon + 1).replace(/^ /, "");
          const field = line.slice(0, colon);
          if (field === "event") event.name = content;
          else if (field === "data") event.data += content;
          else if (field === "id") event.id = content;
        }
        text = text.slice(end + 2);
        yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

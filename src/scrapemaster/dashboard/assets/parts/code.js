// Text to copy.
import { html, useState } from "../app/ui.js";
import { Button } from "./button.js";

export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https browsers give no clipboard: the old way still works.
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** @param {{text: string, label?: string, children?: any}} props */
export function CopyButton({ text, label = "Copy", children }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await copied(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<${Button} kind="quiet" small icon=${done ? "check" : "copy"} label=${label} onClick=${copy}>${children}<//>`;
}

/** @param {{text: string, label: string}} props */
export const Code = ({ text, label }) => html`<div class="code"><pre tabindex="0" aria-label=${label}><code>${text}</code></pre>
  <${CopyButton} text=${text} label=${`Copy ${label}`} /></div>`;

// How the picture becomes the input of the model: what it looks like after each step of preprocessing.

import { html, useState } from "../html.js";
import { Picture } from "../parts/picture.js";

// answer: of /explain for `content`, the picture that was sent.
export function Steps({ answer: { steps }, content, ...attributes }) {
  const [isOpen, setOpen] = useState(false);
  const step = (text, i) => html`<li key=${i}>
    <${Picture} path=${`/preprocess?step=${i}`} body=${content} width="128" height="128" alt=${`The picture after step ${i + 1}`} /><span class="hint">${i + 1}. ${text}</span>
  </li>`;
  return html`<details class="card wide" onToggle=${(event) => setOpen(event.currentTarget.open)} ...${attributes}>
    <summary>From your drawing to the input of the model, step by step</summary>
    ${isOpen && html`<ol class="steps">${steps.map(step)}</ol>`}
  </details>`;
}

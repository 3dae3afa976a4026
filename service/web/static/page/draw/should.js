// "It should be a ...": one click puts the drawing, with its label, into a collection of one's own, and another teaches it.

import { post } from "../api.js";
import { html, useState } from "../html.js";
import { Act, Refusal, useOnce } from "../parts/once.js";
import { address, query } from "../url.js";
import { contentOf } from "./drawing.js";

const MAX_STROKES_CHARS = 65_536; // that the API takes

// The collection that the address names, as that of a class, or one's own.
const collectionName = () => query().get("collect") ?? "mine";

// classes: that it may be. isNarrow: whether the key may add to the collection only. taught(id): called with the job that teaches the model.
export function Should({ drawing, classes, nameOf, isNarrow, taught, clear }) {
  const [added, setAdded] = useState({ drawing: null, label: null });
  const { start, isBusy, problem } = useOnce();
  const name = collectionName();
  const add = (label) => start(async () => {
    await collect(name, label, await formOf(drawing));
    setAdded({ drawing, label }); // another drawing may have been begun meanwhile
  });
  if (added.drawing === drawing) {
    return html`<div class="should">
      <span role="status">Added to ${name} as a ${nameOf(added.label)}.</span>
      <span class="row">
        ${query().has("collect") && html`<button type="button" class="main" onClick=${clear}>Draw the next</button>`}
        ${!isNarrow && html`<${Act} class=${query().has("collect") ? "" : "main"} act=${async () => taught(await (await import("../teach.js")).teach(name))}>Teach it<//>
        <a class="button" href=${address({ view: "data", collection: name })}>See the collection</a>`}
      </span>
    </div>`;
  }
  const words = query().has("collect") ? `Add it to ${name} as a` : "It should be a";
  return html`<div class="should" role="group" aria-label=${words}>
    <span>${words}</span>
    ${classes.map((label) => html`<button key=${label} type="button" disabled=${isBusy} onClick=${() => add(label)}>${nameOf(label)}</button>`)}
    <${Refusal} problem=${problem} />
  </div>`;
}

async function collect(name, label, content) {
  const add = () => post(`/collections/${encodeURIComponent(name)}/images?label=${label}`, content);
  await add().catch(async (problem) => {
    if (problem.status !== 404) throw problem;
    // It is the first. Another of the class may make the collection at the same time.
    await post("/collections", { name }).catch((refused) => {
      if (refused.isScope) throw problem; // the key of a class makes none
      if (refused.status !== 409) throw refused;
    });
    await add();
  });
}

// The picture, with the strokes of a drawing unless they are too many.
async function formOf(drawing) {
  const form = new FormData();
  form.append("file", await contentOf(drawing), "drawing");
  const strokes = JSON.stringify(drawing.strokes.map(({ width, isEraser, points }) => ({ width, is_eraser: isEraser, points })));
  if (!drawing.picture && strokes.length <= MAX_STROKES_CHARS) form.append("strokes", strokes);
  return form;
}

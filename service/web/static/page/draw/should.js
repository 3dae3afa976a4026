// "It should be a ...": one click puts the drawing, with its label, into a collection of one's own, and another teaches it.

import { get, post } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { teach } from "../teach.js";
import { address, query } from "../url.js";
import { contentOf } from "./drawing.js";

const MAX_STROKES_CHARS = 65_536; // that the API takes

// The collection that the address names, as that of a class, or one's own.
const collectionName = () => query().get("collect") ?? "mine";

// taught(id): called with the job that teaches the model.
export function Should({ drawing, version: { classes, nameOf }, taught }) {
  const [added, setAdded] = useState(null); // its label
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    setAdded(null);
    setProblem(null);
  }, [drawing]);
  const name = collectionName();
  const attempt = (act) => async () => {
    setBusy(true);
    await act().catch(setProblem);
    setBusy(false);
  };
  const add = async (label) => {
    await collect(name, label, await formOf(drawing));
    setAdded(label);
  };
  const shown = problem && html`<span class="error" role="alert">${problem.message}</span>`;
  if (added !== null) {
    return html`<div class="should">
      <span role="status">Added to ${name} as a ${nameOf(added)}.</span>
      <span class="row"><button type="button" class="main" disabled=${isBusy} onClick=${attempt(async () => taught(await teach(name)))}>Teach it</button>
      <a class="button" href=${address({ view: "data", collection: name })}>See the collection</a></span>
      ${shown}
    </div>`;
  }
  const words = query().has("collect") ? `Add it to ${name} as a` : "It should be a";
  return html`<div class="should" role="group" aria-label=${words}>
    <span>${words}</span>
    ${classes.map((label) => html`<button key=${label} type="button" disabled=${isBusy} onClick=${attempt(() => add(label))}>${nameOf(label)}</button>`)}
    ${shown}
  </div>`;
}

async function collect(name, label, content) {
  const { collections } = await get("/collections");
  if (!collections.some((each) => each.name === name)) await post("/collections", { name });
  await post(`/collections/${encodeURIComponent(name)}/images?label=${label}`, content);
}

// The picture, with the strokes of a drawing unless they are too many.
async function formOf(drawing) {
  const form = new FormData();
  form.append("file", await contentOf(drawing), "drawing");
  const strokes = JSON.stringify(drawing.strokes.map(({ width, isEraser, points }) => ({ width, is_eraser: isEraser, points })));
  if (!drawing.picture && strokes.length <= MAX_STROKES_CHARS) form.append("strokes", strokes);
  return form;
}

// "It should be a ...": one click puts the drawing, with its label, into a collection of one's own.

import { get, post } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { address, query } from "../url.js";
import { contentOf } from "./drawing.js";

// The collection that the address names, as that of a class, or one's own.
const collectionName = () => query().get("collect") ?? "mine";

export function Should({ drawing, version: { classes, nameOf } }) {
  const [added, setAdded] = useState(null); // its label
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    setAdded(null);
    setProblem(null);
  }, [drawing]);
  const name = collectionName();
  const add = async (label) => {
    try {
      await collect(name, label, await contentOf(drawing));
      setAdded(label);
    } catch (refused) {
      setProblem(refused);
    }
  };
  if (added !== null) return html`<p class="should" role="status">Added to ${name} as a ${nameOf(added)}. <a href=${address({ view: "data", collection: name })}>See the collection</a></p>`;
  return html`<div class="should" role="group" aria-label="It should be a">
    <span>It should be a</span>
    ${classes.map((label) => html`<button key=${label} type="button" onClick=${() => add(label)}>${nameOf(label)}</button>`)}
    ${problem && html`<span class="error" role="alert">${problem.message}</span>`}
  </div>`;
}

async function collect(name, label, content) {
  const { collections } = await get("/collections");
  if (!collections.some((each) => each.name === name)) await post("/collections", { name });
  await post(`/collections/${encodeURIComponent(name)}/images?label=${label}`, content);
}

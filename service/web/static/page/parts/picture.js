// Pictures and files of the API. They are fetched like everything else, so that no address contains a key.

import { send } from "../api.js";
import { html, useEffect, useState } from "../html.js";

// An image of the API; if it cannot be had, the reason stands in its place. body: a picture of which it is made, which is sent.
export function Picture({ path, body = null, ...attributes }) {
  const [src, setSrc] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let isLeft = false;
    setProblem(null);
    const load = async () => {
      const file = await (await send(path, body ? { method: "POST", body } : { cache: "no-cache" })).blob();
      if (!isLeft) setSrc(URL.createObjectURL(file));
    };
    load().catch((failed) => isLeft || setProblem(failed));
    return () => (isLeft = true);
  }, [path, body]);
  useEffect(() => () => URL.revokeObjectURL(src), [src]);
  if (problem) return html`<p class="hint">${problem.message}</p>`;
  if (src) return html`<img src=${src} ...${attributes} />`;
  // Its room, so that nothing moves when it arrives.
  const { class: kind = "", width, height } = attributes;
  const room = width ? { width: `${width}px`, aspectRatio: `${width} / ${height}` } : {};
  return html`<span class=${`awaited ${kind}`} style=${room}></span>`;
}

// A picture of weights, which a narrow screen can scroll.
export const WeightsFrame = ({ children }) => html`<div class="frame" tabindex="0" role="region" aria-label="Weights">${children}</div>`;

// Saves a file, or opens it if it has no name.
export function save(blob, name) {
  const href = URL.createObjectURL(blob);
  if (name) Object.assign(document.createElement("a"), { href, download: name }).click();
  else open(href, "_blank");
  setTimeout(() => URL.revokeObjectURL(href), 60_000); // by then it is saved or shown
}

// A link that saves a file, or opens it if it has no name.
export function FileLink({ path, name, children, ...attributes }) {
  const [problem, setProblem] = useState(null);
  const click = async (event) => {
    event.preventDefault();
    try {
      save(await (await send(path)).blob(), name);
    } catch (failed) {
      setProblem(failed);
    }
  };
  return html`<a class="button" href=${`/api/v1${path}`} onClick=${click} ...${attributes}>${children}</a>${problem && html`<span class="error" role="alert">${problem.message}</span>`}`;
}

// Images of a data set, each with its label, its prediction, or both; a click opens the explanation.

import { percent } from "../format.js";
import { html } from "../html.js";
import { address } from "../url.js";
import { Picture } from "./picture.js";

export const imagePath = (dataset, index, part) => `/datasets/${encodeURIComponent(dataset)}/images/${index}.png?part=${part}&upscale=3`;

// Test images with their predictions by a version, a reference as name/number.
export function Gallery({ images, dataset, version, nameOf }) {
  const shown = ({ index, true: label, predicted, probability }) => {
    const words = `${nameOf(label)} classified as ${nameOf(predicted)}`;
    const why = address({ view: "draw", model: version, image: `${dataset}/test/${index}` });
    return html`<li key=${index}><a href=${why}>
      <${Picture} path=${imagePath(dataset, index, "test")} width="84" height="84" alt=${`Test image ${index}: a ${words}`} />
      <span>${words}</span><span class="hint">${percent(probability)} sure</span>
    </a></li>`;
  };
  return html`<ul class="gallery">${images.map(shown)}</ul>`;
}

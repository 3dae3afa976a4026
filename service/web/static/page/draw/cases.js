// The evidence for every class: its weights, and with a drawing the contribution of each pixel, which add up to its logit.

import { percent, signed } from "../format.js";
import { html } from "../html.js";
import { Tiles } from "../parts/tiles.js";

// version: what is known of the model. answer: of /explain, or null. choose(label): explains that class.
export function Cases({ version, answer, choose, ...attributes }) {
  const names = version.classes.map(version.nameOf);
  const card = (title, hint, tiles) => html`<div class="card wide" ...${attributes}>
    <h2>${title}</h2>
    <p class="hint">${hint}</p>
    <div id="cases">${tiles}</div>
  </div>`;
  if (!answer) {
    if (!version.planes) return card("Evidence for each digit", "Draw a digit to see the logit and the probability of each.", null);
    const hint = "Ink on red counts for the digit, ink on blue against it. Draw a digit to see the sum for each.";
    return card("Weights", hint, html`<${Tiles} names=${names} planes=${version.planes} />`);
  }
  const labels = Object.keys(answer.logits);
  const ink = answer.pixels.flat();
  const shown = {
    names,
    words: labels.map((label) => `${signed(answer.logits[label], 2)}\n${percent(answer.probabilities[label])}`),
    best: labels.reduce((best, label, i) => (answer.logits[label] > answer.logits[labels[best]] ? i : best), 0),
    choose: (place) => choose(labels[place]),
  };
  if (!version.planes) {
    const hint = "The logit of each digit, and its probability. The highest is the prediction. Click one to see the contributions for it.";
    return card("Evidence for each digit", hint, html`<${Tiles} ...${shown} planes=${null} />`);
  }
  const { divisor, shift } = version.scale;
  const shares = version.planes.map((plane) => plane.map((weight, i) => weight * (ink[i] / divisor - shift)));
  const hint = "All on one scale. Below each: its logit, which is the sum of its contributions and its bias, and its probability. The highest is the prediction.";
  return card("Evidence for each digit", hint, html`<${Tiles} ...${shown} planes=${shares} what="contribution" isShared ink=${ink} />`);
}

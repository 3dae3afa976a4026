// Probabilities as bars, one a class; the three highest are marked, for narrow screens.

import { percent } from "../format.js";
import { html } from "../html.js";

// best: the label of the class that is emphasised, or null: bars without numbers.
export function Bars({ probabilities, best = null, nameOf = String, ...attributes }) {
  const labels = Object.keys(probabilities);
  const top = [...labels].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 3);
  return html`<ol class="bars" ...${attributes}>
    ${labels.map(
      (label) => html`<li key=${label} class=${`${label === String(best) ? "best" : ""} ${top.includes(label) ? "top" : ""}`}>
        <span class="digit">${nameOf(label)}</span>
        <span class="track" aria-hidden="true"><span class="fill" style=${{ transform: `scaleX(${probabilities[label]})` }}></span></span>
        <span class="value">${best === null ? "" : percent(probabilities[label])}</span>
      </li>`,
    )}
  </ol>`;
}

// The prediction for a drawing: the digit, its certainty, and the probability of each.

import { percent } from "../format.js";
import { html } from "../html.js";
import { Bars } from "../parts/bars.js";
import { Grey } from "../parts/canvas.js";

const TEN = Object.fromEntries([...Array(10).keys()].map((digit) => [digit, 0]));
const LIKELY = 0.1; // a second class of at least this probability stands on the badge of an uncertain prediction

// answer: of /explain, or null. label: the true class of a test image, or null. problem: an error, or null.
export function Verdict({ answer, nameOf, label, problem }) {
  /** @type {[string, number][]} */
  const ranked = answer ? Object.entries(answer.probabilities).sort(([, a], [, b]) => b - a) : [];
  const warnings = answer?.warnings ?? [];
  return html`<div class="card seen-card">
    <h2 class="visually-hidden">Prediction</h2>
    <p id="reading" class=${`reading ${problem ? "error" : ""}`} role="status">${problem ? problem.message : answer ? read(answer, ranked, nameOf) : "Nothing drawn yet. Draw a digit."}</p>
    ${label !== null && answer && html`<p class="truth">${truth(nameOf, label, ranked)}</p>`}
    <ul id="doubts" class="doubts">${warnings.map((warning) => html`<li key=${warning}>${warning}</li>`)}</ul>
    <${Bars} id="bars" aria-label="Probability of each digit" probabilities=${answer?.probabilities ?? TEN} best=${ranked[0]?.[0]} nameOf=${answer ? nameOf : String} />
    <div class="seen">
      <figure><${Grey} id="seen" pixels=${answer?.pixels.flat()} role="img" aria-label="The input of the model, 28 by 28 pixels" /><figcaption>Model input, 28×28</figcaption></figure>
      <ol class="hint">${answer?.steps.map((step) => html`<li key=${step}>${step}</li>`)}</ol>
    </div>
  </div>`;
}

// A badge that looks as certain as the prediction is.
/** @param {any} answer @param {[string, number][]} ranked */
function read(answer, [[best, probability], second], nameOf) {
  const isUnsure = answer.verdict === "unsure";
  if (answer.verdict === "digit") return html`<strong>${nameOf(best)}</strong><span>${percent(probability)} sure</span>`;
  const isEither = second && (isUnsure || second[1] >= LIKELY);
  return html`<strong class="unsure">${isEither ? `${nameOf(best)} or ${nameOf(second[0])}?` : `${nameOf(best)}?`}</strong><span>${isUnsure ? `not sure: ${percent(probability)}` : answer.verdict.replaceAll("-", " ")}</span>`;
}

/** @param {any} nameOf @param {number} label @param {[string, number][]} ranked */
function truth(nameOf, label, [[best]]) {
  return best === String(label) ? `Its label is ${nameOf(label)}: right.` : `Its label is ${nameOf(label)}: wrong.`;
}

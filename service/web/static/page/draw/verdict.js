// The prediction for a drawing: the digit, its certainty, and the probability of each.

import { percent } from "../format.js";
import { html } from "../html.js";
import { Bars } from "../parts/bars.js";
import { Grey } from "../parts/canvas.js";
import { query } from "../url.js";
import { Reading } from "./number.js";

const TEN = Object.fromEntries([...Array(10).keys()].map((digit) => [digit, 0]));

// What a verdict other than "digit" says.
export const WORDS = { unsure: "not sure", blank: "nothing to read", "not-a-digit": "perhaps not a digit", "several-digits": "several digits" };

// answer: of /explain, or null. reading: of /read, of several digits, or null. label: the true class of a test image, or null. problem: an error, or null.
export function Verdict({ answer, reading, nameOf, label, problem, children }) {
  /** @type {[string, number][]} */
  const ranked = answer ? Object.entries(answer.probabilities).sort(([, a], [, b]) => b - a) : [];
  const warnings = reading ? [] : answer?.warnings ?? []; // a number is no single digit
  return html`<div class="card seen-card">
    <h2 class="visually-hidden">Prediction</h2>
    <p id="reading" class=${`reading ${problem ? "error" : ""}`} role="status">${problem ? problem.message : reading ? html`<${Reading} reading=${reading} />` : answer ? read(answer, ranked, nameOf) : "Nothing drawn yet. Draw a digit."}</p>
    ${(label !== null || query().has("image")) && html`<p class="truth">${label !== null && answer ? truth(nameOf, label, ranked) : "\u00a0"}</p>`}
    ${reading && html`<p class="hint">Taken as one digit, which is what is explained:</p>`}
    <ul id="doubts" class="doubts">${warnings.map((warning) => html`<li key=${warning}>${warning}</li>`)}</ul>
    <${Bars} id="bars" aria-label="Probability of each digit" probabilities=${answer?.probabilities ?? TEN} best=${ranked[0]?.[0]} nameOf=${answer ? nameOf : String} />
    ${children}
    <div class="seen">
      <figure><${Grey} id="seen" pixels=${answer?.pixels.flat()} role="img" aria-label="The input of the model, 28 by 28 pixels" /><figcaption>Model input, 28×28</figcaption></figure>
      <ol class="hint">${answer?.steps.map((step) => html`<li key=${step}>${step}</li>`)}</ol>
    </div>
  </div>`;
}

// A badge that looks as certain as the prediction is.
/** @param {any} answer @param {[string, number][]} ranked */
function read({ verdict, rivals }, [[best, probability]], nameOf) {
  if (verdict === "digit") return html`<strong>${nameOf(best)}</strong><span>${percent(probability)} sure</span>`;
  const either = [best, ...rivals.slice(0, 1)].map(nameOf).join(" or ");
  return html`<strong class="unsure">${verdict === "blank" ? "?" : `${either}?`}</strong><span>${verdict === "unsure" ? `not sure: ${percent(probability)}` : WORDS[verdict]}</span>`;
}

/** @param {any} nameOf @param {number} label @param {[string, number][]} ranked */
function truth(nameOf, label, [[best]]) {
  return best === String(label) ? `Its label is ${nameOf(label)}: right.` : `Its label is ${nameOf(label)}: wrong.`;
}

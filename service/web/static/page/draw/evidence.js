// Why a digit, and not another: the contribution of each pixel, and their sum.

import { signed } from "../format.js";
import { html, useState } from "../html.js";
import { moved, MOVES } from "../parts/arrows.js";
import { Shares } from "../parts/canvas.js";
import { pixelAt, SIDE } from "../pixels.js";

const SCALE = 10;
const MIDDLE = { row: SIDE / 2, column: SIDE / 2 };
const BASELINES = {
  zero: "Blank paper counts too: ink that is missing where the digit would have it is evidence against it. So most of the sum can come from white pixels.",
  blank: "The contributions are measured against a blank image: pixels without ink have none.",
};
const spaced = (value) => signed(value, 3).replace(/^./, "$& ");

// answer: of /explain. chosen: {digit, against}, as text, empty for none. choose(change): changes it.
export function Evidence({ answer, nameOf, chosen, choose, ...attributes }) {
  const [pointed, setPointed] = useState(null);
  const [isInkOnly, setInkOnly] = useState(false);
  const classes = answer ? Object.keys(answer.probabilities) : [];
  const ink = answer?.pixels.flat();
  const isLinear = answer?.baseline === "zero";
  const shares = answer?.evidence.flat().map((share, i) => (isInkOnly && isLinear && !ink[i] ? 0 : share));
  const move = (event) => {
    if (!MOVES[event.key]) return;
    event.preventDefault();
    setPointed(moved({ i: 0, ...(pointed ?? MIDDLE) }, MOVES[event.key], 1));
  };
  const options = classes.map((label) => html`<option key=${label} value=${label}>${nameOf(label)}</option>`);
  // "Why 3 and not 5" remains about 3, whatever is drawn next.
  const against = (label) => choose({ against: label, ...(chosen.digit === "" && answer ? { digit: String(answer.digit) } : {}) });
  return html`<div class=${`card why-card ${answer ? "" : "waiting"}`} id="why" ...${attributes}>
    <h2 class="visually-hidden">Why?</h2>
    ${!answer && html`<p class="hint awaited-why">Here you will see how much each pixel counts for the digit, or against it.</p>`}
    <div class="row">
      <label for="for-digit">Why</label>
      <select id="for-digit" value=${chosen.digit} onChange=${(event) => choose({ digit: event.target.value })}>
        <option value="">the answer</option>
        ${options}
      </select>
      <label for="against-digit">and not</label>
      <select id="against-digit" value=${chosen.against} onChange=${(event) => against(event.target.value)}>
        <option value="">nothing</option>
        ${options}
      </select>
    </div>
    <figure>
      <${Shares}
        id="evidence"
        values=${shares}
        ink=${ink}
        scale=${SCALE}
        role="img"
        aria-label="Evidence map: how much each pixel counts for or against the digit; arrows move over it"
        onPointerMove=${(event) => setPointed(pixelAt(event.currentTarget, event))}
        ...${shares && { tabindex: 0, onKeyDown: move }}
      />
      <figcaption><span class="key for">for</span> <span class="key against">against</span>; your ink is outlined</figcaption>
    </figure>
    <p id="pixel" class="hint" aria-live="polite">${pointed && shares ? told(pointed, shares[pointed.row * SIDE + pointed.column]) : "Point at a pixel to see its contribution."}</p>
    ${answer && html`<${Sum} answer=${answer} shares=${shares} nameOf=${nameOf} />`}
    ${isLinear &&
    html`<label class="tick"><input type="checkbox" checked=${isInkOnly} onChange=${(event) => setInkOnly(event.target.checked)} />only my ink</label>`}
    ${answer && html`<p class="hint">${BASELINES[answer.baseline]}</p>`}
  </div>`;
}

function told({ row, column }, share) {
  return `Row ${row}, column ${column}: ${spaced(share)}, ${share === 0 ? "no effect" : share > 0 ? "for it" : "against it"}.`;
}

// shares: those of the pixels that are shown; the others are a line of their own.
function Sum({ answer, shares, nameOf }) {
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  const [sumFor, sumAgainst] = [total(shares.filter((share) => share > 0)), total(shares.filter((share) => share < 0))];
  const rest = answer.sum - answer.bias - sumFor - sumAgainst;
  const larger = Math.max(sumFor, -sumAgainst, 1e-9);
  const logit = `Logit of ${nameOf(answer.digit)}`;
  const rows = [
    ["", "Pixels for it", spaced(sumFor)],
    ["", "Pixels against it", spaced(sumAgainst)],
    ...(Math.abs(rest) > 1e-9 ? [["", "Blank pixels", spaced(rest)]] : []),
    ["", answer.baseline === "blank" ? "Blank image" : "Bias", spaced(answer.bias)],
    ["total", "Sum", `= ${signed(answer.sum, 3).replace("+", "")}`],
    ["logit", answer.against === null ? logit : `${logit} minus logit of ${nameOf(answer.against)}`, signed(answer.logit, 3).replace("+", "")],
  ];
  return html`
    <div class="balance" aria-hidden="true">
      <span class="for" style=${{ width: `${(100 * sumFor) / larger}%` }}></span>
      <span class="against" style=${{ width: `${(-100 * sumAgainst) / larger}%` }}></span>
    </div>
    <table class="sum">
      <caption>The contributions add up</caption>
      <tbody id="sum">${rows.map(([kind, name, value]) => html`<tr key=${name} class=${kind}><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody>
    </table>
  `;
}

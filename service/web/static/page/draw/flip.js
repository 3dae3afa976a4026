// The smallest change of a drawing that changes the prediction.

import { percent } from "../format.js";
import { html } from "../html.js";
import { Grey, Shares } from "../parts/canvas.js";

export function Flip({ answer: { flip, pixels, probabilities }, nameOf, ...attributes }) {
  const [before, after] = [pixels.flat(), flip.pixels.flat()];
  const change = after.map((value, i) => value - before[i]);
  const changes = change.filter((value) => value !== 0).map(Math.abs);
  const mean = changes.reduce((sum, value) => sum + value, 0) / changes.length;
  const predicted = Object.keys(probabilities).reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
  const figure = (caption, picture) => html`<figure>${picture}<figcaption>${caption}</figcaption></figure>`;
  const sign = (text) => html`<span class="sign" aria-hidden="true">${text}</span>`;
  return html`<div class="card wide" id="flip" ...${attributes}>
    <h2>What would change the prediction?</h2>
    <p>
      ${`${flip.is_local ? "An image nearby" : "The nearest image"} with another prediction: ${changes.length} pixels changed, by ${mean.toFixed(0)} of 255 grey levels on average, and this `}
      <strong>${nameOf(predicted)}</strong>${` (${percent(probabilities[predicted])} sure) becomes a `}<strong>${nameOf(flip.digit)}</strong>
      ${flip.is_local ? ". The search was local: there may be a nearer one." : ". A person would hardly notice."}
    </p>
    <div class="flip">
      ${figure("Your image", html`<${Grey} pixels=${before} role="img" aria-label="Your image" />`)}${sign("+")}
      ${figure("The change: red more ink, blue less", html`<${Shares} values=${change} role="img" aria-label="The change" />`)}${sign("=")}
      ${figure(`Predicted: ${nameOf(flip.digit)}`, html`<${Grey} pixels=${after} role="img" aria-label="The changed image" />`)}
    </div>
  </div>`;
}

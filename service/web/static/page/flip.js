// The smallest change of a drawing that changes the prediction.

import { percent } from "./bars.js";
import { byId, element } from "./element.js";
import { drawGrey, drawShares } from "./pixels.js";

export class Flip {
  constructor() {
    this.place = byId("flip");
    this.words = element("p", {});
    const [yours, change, flipped] = ["Your image", "The change: red more ink, blue less", "The changed image"].map(frame);
    this.canvases = [yours.canvas, change.canvas, flipped.canvas];
    this.flippedCaption = flipped.caption;
    this.place.append(
      element("h2", {}, "What would change the prediction?"),
      this.words,
      element("div", { class: "flip" }, yours.node, sign("+"), change.node, sign("="), flipped.node),
    );
  }

  show({ flip, pixels, probabilities }, nameOf) {
    if (!flip) return this.clear();
    const [before, after] = [pixels.flat(), flip.pixels.flat()];
    const change = after.map((value, i) => value - before[i]);
    const changes = change.filter((value) => value !== 0).map(Math.abs);
    const [yours, middle, flipped] = this.canvases;
    drawGrey(yours, before);
    drawShares(middle, change);
    drawGrey(flipped, after);
    const predicted = Object.keys(probabilities).reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
    const mean = changes.reduce((sum, value) => sum + value, 0) / changes.length;
    this.words.replaceChildren(
      `${flip.is_local ? "An image nearby" : "The nearest image"} with another prediction: ${changes.length} pixels changed, by ${mean.toFixed(0)} of 255 grey levels on average, and this `,
      element("strong", {}, nameOf(predicted)),
      ` (${percent(probabilities[predicted])} sure) becomes a `,
      element("strong", {}, nameOf(flip.digit)),
      flip.is_local ? ". The search was local: there may be a nearer one." : ". A person would hardly notice.",
    );
    this.flippedCaption.textContent = `Predicted: ${nameOf(flip.digit)}`;
    this.place.hidden = false;
  }

  clear() {
    this.place.hidden = true;
  }
}

function frame(words) {
  const canvas = element("canvas", { width: 28, height: 28, role: "img", "aria-label": words });
  const caption = element("figcaption", {}, words);
  return { canvas, caption, node: element("figure", {}, canvas, caption) };
}

const sign = (text) => element("span", { class: "sign", "aria-hidden": "true" }, text);

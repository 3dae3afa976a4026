// The evidence for every digit: its weights, and with a drawing the contribution of each pixel, which add up to its logit.

import { get, versionPath } from "./api.js";
import { percent } from "./bars.js";
import { byId } from "./element.js";
import { namesOf } from "./names.js";
import { Tiles } from "./tiles.js";
import { classPlanes } from "./weights_file.js";

export class Cases {
  // choose(label): called when a digit is clicked.
  constructor(choose) {
    this.choose = choose;
  }

  // Shows the weights of a version, before anything is drawn.
  async offer(name, version) {
    const { tiles, planes } = await this.#load(name, version);
    byId("cases").hidden = !planes;
    if (!planes) return this.#setText("Evidence for each digit", "Draw a digit to see the logit and the probability of each.");
    tiles.show(planes);
    this.#setText("Weights", "Ink on red counts for the digit, ink on blue against it. Draw a digit to see the sum for each.");
  }

  // The names of the classes of a version.
  async names({ model, version }) {
    return (await this.#load(model, version)).nameOf;
  }

  async show({ model, version, logits, probabilities, pixels }) {
    const { tiles, planes, scale } = await this.#load(model, version);
    const ink = pixels.flat();
    const labels = Object.keys(logits);
    const best = labels.reduce((a, b, i) => (logits[b] > logits[labels[a]] ? i : a), 0);
    const words = labels.map((label) => `${signed(logits[label])}\n${percent(probabilities[label])}`);
    byId("cases").hidden = false;
    if (!planes) {
      tiles.showWords(words, best);
      return this.#setText("Evidence for each digit", "The logit of each digit, and its probability. The highest is the prediction. Click one to see the contributions for it.");
    }
    const shares = planes.map((plane) => plane.map((weight, i) => weight * (ink[i] / scale.divisor - scale.shift)));
    tiles.show(shares, { isShared: true, pixels: ink, words, best });
    this.#setText(
      "Evidence for each digit",
      "All on one scale. Below each: its logit, which is the sum of its contributions and its bias, and its probability. The highest is the prediction.",
    );
  }

  async #load(name, version) {
    const key = `${name}/${version}`;
    if (this.key === key) return this.loaded;
    const manifest = await get(versionPath(name, version));
    const planes = await classPlanes(name, version, manifest.published);
    const nameOf = namesOf(manifest);
    const tiles = new Tiles(manifest.classes, "contribution", { nameOf, choose: this.choose });
    byId("cases").replaceChildren(tiles.node);
    this.key = key;
    const scale = manifest.operations[0];
    this.loaded = { tiles, nameOf, scale, planes };
    return this.loaded;
  }

  #setText(title, words) {
    byId("cases-title").textContent = title;
    byId("cases-words").textContent = words;
  }
}

const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

// The weights of a job at each check that was kept, all of them at hand.

import { send } from "./api.js";

const ROWS = 785;
const MOST = 512; // the server thins a long run; so does who follows it, by asking for all again

export class Past {
  // n_outputs: columns of the weights.
  constructor(jobId, nOutputs) {
    this.path = `/jobs/${jobId}/snapshots/weights.f32`;
    this.size = ROWS * nOutputs;
    this.nOutputs = nOutputs;
    this.steps = [];
    this.weights = [];
    this.isThinned = false; // since it was fetched, as far as is known
  }

  // Fetches what is new, or everything.
  async load() {
    const isAll = this.isThinned || !this.steps.length || this.steps.length >= MOST;
    const since = isAll ? -1 : this.steps.at(-1);
    const answer = await send(`${this.path}?since=${since}`, { cache: "no-cache" });
    const steps = (answer.headers.get("Snapshot-Steps") ?? "").split(",").filter(Boolean).map(Number);
    const values = new Float32Array(await answer.arrayBuffer());
    if (isAll) {
      this.steps = [];
      this.weights = [];
      this.isThinned = false;
    }
    steps.forEach((step, i) => {
      this.steps.push(step);
      this.weights.push(values.subarray(i * this.size, (i + 1) * this.size));
    });
  }

  // As a weight file has them.
  at(place) {
    return { rows: ROWS, columns: this.nOutputs, values: this.weights[place] };
  }

  // What the weights at a place say of an image: the probability of each class.
  probabilities(place, pixels, classes) {
    const values = this.weights[place];
    const logits = Array.from({ length: this.nOutputs }, (_, column) => {
      let sum = values[(ROWS - 1) * this.nOutputs + column];
      for (let row = 0; row < ROWS - 1; row++) sum += values[row * this.nOutputs + column] * (pixels[row] / 127.5 - 1);
      return sum;
    });
    const all = logits.length === 1 ? [logits[0], 0] : logits;
    const largest = Math.max(...all);
    const powers = all.map((logit) => Math.exp(logit - largest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return Object.fromEntries(classes.map((label, i) => [label, powers[i] / total]));
  }
}

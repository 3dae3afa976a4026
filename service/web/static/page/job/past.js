// The parameters of a job at each check that was kept, all of them in memory, and what they make of an image.

import { get, send } from "../api.js";

const MOST = 512; // the server thins a long run; so does who follows it, by asking for all again

export class Past {
  constructor(jobId) {
    this.path = `/jobs/${jobId}/snapshots`;
    this.model = null; // its tensors and operations
    this.steps = [];
    this.rows = [];
    this.isThinned = false; // since it was fetched, as far as is known
  }

  // Fetches what is new, or everything.
  async load() {
    this.model ??= await get(this.path);
    const isAll = this.isThinned || !this.steps.length || this.steps.length >= MOST;
    const since = isAll ? -1 : this.steps.at(-1);
    const answer = await send(`${this.path}/weights.f32?since=${since}`, { cache: "no-cache" });
    const steps = (answer.headers.get("Snapshot-Steps") ?? "").split(",").filter(Boolean).map(Number);
    const values = new Float32Array(await answer.arrayBuffer());
    if (isAll) {
      this.steps = [];
      this.rows = [];
      this.isThinned = false;
    }
    const size = values.length / steps.length;
    steps.forEach((step, i) => {
      this.steps.push(step);
      this.rows.push(values.subarray(i * size, (i + 1) * size));
    });
  }

  // The first tensor, whose columns are pictures, as a weight file has it.
  at(place) {
    return Object.values(tensorsOf(this.model.tensors, this.rows[place]))[0];
  }

  // The probability of each class, as the parameters at a place give it for an image.
  probabilities(place, pixels, classes) {
    const tensors = tensorsOf(this.model.tensors, this.rows[place]);
    const found = this.model.operations.reduce((values, step) => OPERATIONS[step.kind](values, step, tensors), [...pixels]);
    return Object.fromEntries(classes.map((label, i) => [label, found[i]]));
  }
}

// Views of a row of numbers by the name of each tensor.
function tensorsOf(list, row) {
  let start = 0;
  return Object.fromEntries(
    list.map(({ name, shape: [rows, columns] }) => {
      const values = row.subarray(start, (start += rows * columns));
      return [name, { rows, columns, values }];
    }),
  );
}

const sigmoid = (z) => 1 / (1 + Math.exp(-z));

// What each step of a model does to a list of numbers; the server names the steps.
const OPERATIONS = {
  scale: (values, { divisor, shift }) => values.map((value) => value / divisor - shift),
  dense: (values, { tensor }, tensors) => dense(values, tensors[tensor]),
  relu: (values) => values.map((value) => Math.max(0, value)),
  sigmoid: (values) => values.map(sigmoid),
  tanh: (values, { gain, slope }) => values.map((value) => gain * Math.tanh(slope * value)),
  binary: ([z]) => [sigmoid(z), sigmoid(-z)],
  softmax: (values) => {
    const largest = Math.max(...values);
    const powers = values.map((value) => Math.exp(value - largest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  },
};

function dense(values, { rows, columns, values: weights }) {
  const sums = Array.from(weights.subarray((rows - 1) * columns));
  values.forEach((value, row) => {
    for (let column = 0; column < columns; column++) sums[column] += value * weights[row * columns + column];
  });
  return sums;
}

// The recorded values of a run over its steps, in two charts.

import { get } from "./api.js";
import { percent } from "./bars.js";
import { Chart } from "./charts.js";
import { Newest } from "./newest.js";

const POINTS = 600;
const EVERY_MS = 1500;

export class Curves {
  constructor(jobId) {
    this.jobId = jobId;
    this.checks = new Map();
    this.here = null;
    this.steps = { steps: [], values: [] };
    const series = [
      { label: "training", colour: "series-faint", width: 1 },
      { label: "validation", colour: "series-2" },
    ];
    this.loss = new Chart("Loss", series, { sync: jobId });
    this.accuracy = new Chart("Accuracy", series, { percent: true, sync: jobId });
    this.request = new Newest(() => this.#load());
  }

  add(check) {
    this.checks.set(check.step, check);
    this.#drawSoon();
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.request.run();
    }, EVERY_MS);
  }

  finish(isStoppedEarly) {
    clearTimeout(this.timer);
    this.stopped = isStoppedEarly;
    return this.request.run();
  }

  // Marks the best check so far and, at the end, where early stopping ended the run.
  #mark(checks) {
    const best = checks.reduce((a, b) => (b.validation_loss < a.validation_loss ? b : a));
    const marks = [{ x: best.step, label: "best" }];
    if (this.here !== null) marks.push({ x: this.here, label: "here" });
    if (this.stopped) marks.push({ x: checks.at(-1).step, label: "stopped early" });
    this.loss.mark(marks);
    this.accuracy.mark(marks);
  }

  // Marks the step that is shown in the past; null for none.
  markPast(step) {
    this.here = step;
    this.#drawSoon();
  }

  close() {
    clearTimeout(this.timer);
    this.isClosed = true;
    this.loss.close();
    this.accuracy.close();
  }

  // Thousands of checks of a finished run arrive at once: they are drawn together.
  #drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.isClosed) this.#draw();
    });
  }

  #draw() {
    const checks = [...this.checks.values()].sort((a, b) => a.step - b.step);
    const last = checks.at(-1);
    if (!last) return;
    const x = checks.map((check) => check.step);
    const of = (name) => checks.map((check) => check[name]);
    const words = `After step ${last.step}: validation loss ${last.validation_loss.toFixed(4)}, accuracy ${percent(last.validation_accuracy)}.`;
    const batch = this.steps.steps.length ? [this.steps.steps, this.steps.values] : [x, of("train_loss")];
    this.#mark(checks);
    this.loss.show(window.uPlot.join([batch, [x, of("validation_loss")]]), words);
    this.accuracy.show([x, of("train_accuracy"), of("validation_accuracy")], words);
  }

  // The loss of every step, thinned; between two requests only the checks update the curves.
  async #load() {
    try {
      const metrics = await get(`/jobs/${this.jobId}/metrics?max_points=${POINTS}`);
      this.steps = metrics.train_loss;
      this.#drawSoon();
    } catch {
      // The checks still arrive; the next one repeats the request.
    }
  }
}

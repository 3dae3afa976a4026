// The length of a run: steps from the form, time from the speed of the last run on this server.

import { get } from "./api.js";

export class Estimate {
  async load() {
    const [{ datasets }, { jobs }] = await Promise.all([get("/datasets"), get("/jobs?state=succeeded&limit=10")]);
    this.sets = Object.fromEntries(datasets.map((each) => [each.name, each]));
    this.imagesPerSecond = jobs.map((job) => job.progress.images_per_s).find((speed) => speed > 0) ?? null;
    return this;
  }

  // A sentence for the configurations of all runs.
  describe(runs) {
    const sizes = runs.map((run) => this.#size(run));
    const steps = sizes.reduce((sum, { steps }) => sum + steps, 0);
    if (!steps) return "The batch size is larger than the number of training images, so there would be no step.";
    const each = sizes[0];
    const epochs = `${count(runs[0].epochs, "epoch")} of ${count(each.batches, "step")}`;
    const what = runs.length > 1 ? `${runs.length} runs, ${number(steps)} steps in all` : `About ${number(steps)} steps: ${epochs}`;
    const images = sizes.reduce((sum, { steps }, i) => sum + steps * runs[i].batch_size, 0);
    const time = this.imagesPerSecond ? `, about ${duration(images / this.imagesPerSecond)} at the speed of the last run` : "";
    const early = runs.some((run) => run.patience !== null) ? " Early stopping may end it sooner." : "";
    return `${what}${time}.${early}`;
  }

  #size(run) {
    const { n_images: all, n_by_class: by } = this.sets[run.dataset].training;
    const classes = run.classes ?? (run.model === "logistic" ? [2, 3] : Object.keys(by));
    const share = classes.reduce((sum, digit) => sum + (by[digit] ?? 0), 0) / all;
    const room = run.validation === "holdout" ? all - run.validation_size : all;
    const images = Math.round(Math.max(0, Math.min(run.train_size ?? all, room)) * share);
    const batches = (run.drop_last ? Math.floor : Math.ceil)(images / run.batch_size);
    return { batches, steps: batches * run.epochs };
  }
}

export const number = (value) => value.toLocaleString("en");

const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;

export function duration(seconds) {
  if (seconds < 1) return "a second";
  if (seconds < 90) return count(Math.round(seconds), "second");
  if (seconds < 5400) return count(Math.round(seconds / 60), "minute");
  return count(Math.round(seconds / 3600), "hour");
}

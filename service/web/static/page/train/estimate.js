// The length of a run: steps from the form, time from the speed of the last run on this server.

import { all, get } from "../api.js";
import { count, duration, number } from "../format.js";

// {sets: of images, by name; imagesPerSecond: or null}
export async function loadSpeed() {
  const [{ datasets }, { jobs }] = await Promise.all([all("datasets"), get("/jobs?state=succeeded&limit=10")]);
  const speeds = jobs.map((job) => job.progress.images_per_s);
  return { sets: Object.fromEntries(datasets.map((each) => [each.name, each])), imagesPerSecond: speeds.find((speed) => speed > 0) ?? null };
}

// A sentence for the configurations of all runs.
export function estimateOf({ sets, imagesPerSecond }, runs) {
  const sizes = runs.map((run) => sizeOf(run, sets[run.dataset].training));
  const steps = sizes.reduce((sum, { steps }) => sum + steps, 0);
  if (!steps) return "The batch size is larger than the number of training images, so there would be no step.";
  const epochs = `${count(runs[0].epochs, "epoch")} of ${count(sizes[0].batches, "step")}`;
  const what = runs.length > 1 ? `${runs.length} runs, ${number(steps)} steps in all` : `About ${number(steps)} steps: ${epochs}`;
  const images = sizes.reduce((sum, { steps }, i) => sum + steps * runs[i].batch_size, 0);
  const time = imagesPerSecond ? `, about ${duration(images / imagesPerSecond)} at the speed of the last run` : "";
  const early = runs.some((run) => run.patience !== null) ? " Early stopping may end it sooner." : "";
  return `${what}${time}.${early}`;
}

function sizeOf(run, { n_images: all, n_by_class: by }) {
  const classes = run.classes ?? (run.model === "logistic" ? [2, 3] : Object.keys(by));
  const share = classes.reduce((sum, digit) => sum + (by[digit] ?? 0), 0) / all;
  const room = run.validation === "holdout" ? all - run.validation_size : all;
  const images = Math.round(Math.max(0, Math.min(run.train_size ?? all, room)) * share);
  const batches = (run.drop_last ? Math.floor : Math.ceil)(images / run.batch_size);
  return { batches, steps: batches * run.epochs };
}

// Numbers of several runs side by side: their differences, and whether those are more than chance.

import { get } from "./api.js";
import { percent } from "./bars.js";
import { element } from "./element.js";
import { number } from "./estimate.js";
import { title, written } from "./field.js";
import { table } from "./table.js";

export async function verdicts(runs) {
  const parts = [sideBySide(runs)];
  const versions = runs.filter((run) => run.version);
  if (versions.length < 2) return parts;
  try {
    const query = new URLSearchParams(versions.map(({ version }) => ["model", `${version.name}/${version.version}`]));
    const found = await get(`/compare?${query}`);
    parts.push(onTheSameImages(found), ...found.comparisons.map(verdict));
  } catch (problem) {
    parts.push(element("p", { class: "note" }, problem.message));
  }
  return parts;
}

// The settings in which the runs differ, and their results.
function sideBySide(runs) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.config)))].filter((name) => name !== "name");
  const differing = names.filter((name) => new Set(runs.map((run) => written(run.config[name] ?? null))).size > 1);
  const of = (run) => run.manifest?.metrics.best ?? run.job?.metrics.best;
  const rows = [
    ...differing.map((name) => [title(name), ...runs.map((run) => written(run.config[name] ?? null) || "none")]),
    ["Best check at step", ...runs.map((run) => (of(run) ? number(of(run).step) : "–"))],
    ["Validation loss", ...runs.map((run) => of(run)?.validation_loss.toFixed(4) ?? "–")],
    ["Validation accuracy", ...runs.map((run) => (of(run) ? percent(of(run).validation_accuracy) : "–"))],
    ["Training accuracy", ...runs.map((run) => (of(run) ? percent(of(run).train_accuracy) : "–"))],
  ];
  return table("Runs side by side", ["", ...runs.map((run) => run.label)], rows);
}

function onTheSameImages({ n_images, models, comparisons }) {
  const rows = models.map(({ model, version, accuracy, loss }, i) => {
    const against = comparisons[i - 1];
    return [
      `${model}/${version}`,
      percent(accuracy),
      against ? points(against.accuracy_difference, against.accuracy_interval) : "baseline",
      loss.toFixed(4),
      against ? difference(against.loss_difference, against.loss_interval) : "baseline",
      against ? chance(against.p_value) : "",
    ];
  });
  const headings = ["Version", "Accuracy", "Difference in points (95 %)", "Loss", "Difference (95 %)", "More than chance?"];
  return element("div", {}, element("h2", {}, `On the same ${number(n_images)} test images`), table("Versions on the same images", headings, rows));
}

// The interval of the difference of accuracy as a bar, and its meaning as a sentence.
function verdict({ other, first, accuracy_interval: [low, high], accuracy_difference: middle, sentence, p_value }) {
  const reach = 1.15 * Math.max(Math.abs(low), Math.abs(high), 1e-4);
  const place = (value) => `${50 + (50 * value) / reach}%`;
  const bar = element("span", { class: "interval-bar" });
  const dot = element("span", { class: "interval-dot" });
  bar.style.left = place(low);
  bar.style.width = `${(50 * (high - low)) / reach}%`;
  dot.style.left = place(middle);
  const picture = element("div", { class: `interval ${p_value < 0.05 ? "sure" : ""}`, "aria-hidden": "true" }, element("span", { class: "interval-zero" }), bar, dot);
  const ends = element("div", { class: "interval-ends hint" }, element("span", {}, `← ${first} is better`), element("span", {}, `${other} is better →`));
  return element("div", { class: "card verdict" }, element("p", {}, sentence), picture, ends);
}

const sign = (value) => (value < 0 ? "−" : "+");
const signed = (value, digits) => sign(value) + Math.abs(value).toFixed(digits);
const points = (middle, [low, high]) => `${signed(100 * middle, 2)} (${signed(100 * low, 2)} to ${signed(100 * high, 2)})`;
const difference = (middle, [low, high]) => `${signed(middle, 4)} (${signed(low, 4)} to ${signed(high, 4)})`;
const chance = (p) => (p < 0.05 ? `yes, ${p < 0.0001 ? "p < 0.0001" : `p = ${p.toPrecision(2)}`}` : `not clear, p = ${p.toPrecision(2)}`);

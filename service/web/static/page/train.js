// Train: a form from the API's own table, kept in the address; one run, or a sweep.

import { DATASET, get, post } from "./api.js";
import { byId, element } from "./element.js";
import { Estimate } from "./estimate.js";
import { Field, mathematics, written } from "./field.js";
import { picture } from "./picture.js";
import { PRESETS } from "./presets.js";
import { address, go, hideParts, setParameters } from "./url.js";

// The settings for beginners; the others are one click away.
const FIRST = ["model", "classes", "learning_rate", "batch_size", "epochs", "l2_penalty"];

// The fields of a job besides its hyperparameters.
const OTHERS = [
  { name: "name", kind: "text", nullable: true, default: null, allowed: "letters, digits, dots and dashes, or null", help: "the model to which this run adds a version" },
  { name: "dataset", kind: "choice", default: DATASET, choices: [DATASET], allowed: "one of those on this server", help: "the images to train on" },
];

let fields = null;
let estimate = null;
const augmented = element("div"); // pictures of images as the chosen augmentation distorts them
let fitted = {}; // values of fields whose default exceeds the number of images

export async function showTrain(params) {
  try {
    if (!fields) await build();
    const wanted = params.get("dataset") ?? DATASET;
    if (!estimate?.sets[wanted]) estimate = null;
    fields.get("dataset").offer([wanted]); // until the list has arrived
    fill(params);
    estimate = await new Estimate().load();
    fields.get("dataset").offer(Object.keys(estimate.sets));
    fit();
    showEstimate();
  } catch (problem) {
    showError(problem.message);
  }
}

async function build() {
  const { hyperparameters } = await get("/hyperparameters");
  fields = new Map([...hyperparameters, ...OTHERS].map((row) => [row.name, new Field(row)]));
  const nodes = (isFirst) => [...fields.values()].filter(({ row }) => FIRST.includes(row.name) === isFirst).map(({ node }) => node);
  const more = element("details", { id: "more", "data-hides": "more" }, element("summary", {}, "More settings"));
  more.append(element("div", { class: "fields" }, nodes(false)));
  byId("fields").append(...nodes(true));
  byId("fields").after(more);
  fields.get("augmentation").node.append(augmented);
  fields.get("augmentation").input.addEventListener("change", showAugmented);
  byId("presets").append(...PRESETS.map(presetButton));
  byId("form").addEventListener("input", () => {
    fit();
    setParameters(Object.fromEntries([...fields.values()].map((field) => [field.row.name, field.isDefault ? null : field.text])));
    showEstimate();
  });
  byId("form").addEventListener("submit", submit);
  hideParts(byId("form"));
}

function presetButton({ label, help, values }) {
  const click = () => go(address({ view: "train", ...values }));
  return element("button", { type: "button", class: "preset", onclick: click }, element("b", {}, label), element("span", { class: "hint" }, help));
}

// The address of the form with the configuration of a job.
export function settingsAddress(config, defaults) {
  const values = Object.entries(config).filter(([name, value]) => written(value) !== written(defaults[name] ?? null));
  return address({ view: "train", ...Object.fromEntries(values.map(([name, value]) => [name, written(value)])) });
}

// A data set with fewer images than the defaults is used completely.
function fit() {
  const { training, test } = estimate?.sets[fields.get("dataset").text] ?? {};
  if (!training) return;
  fitOne("train_size", training.n_images, "");
  fitOne("validation_size", test.n_images, String(test.n_images));
}

function fitOne(name, n_images, all) {
  const field = fields.get(name);
  const isSmall = n_images < field.row.default;
  if (isSmall && field.isDefault) field.set(all);
  else if (!isSmall && field.text === fitted[name]) field.set(written(field.row.default));
  fitted[name] = isSmall ? all : null;
}

function fill(params) {
  fitted = {};
  for (const { row } of fields.values()) fields.get(row.name).set(params.get(row.name) ?? written(row.default));
  byId("more").open ||= [...params.keys()].some((name) => fields.has(name) && !FIRST.includes(name));
  showError("");
  showEstimate();
  showAugmented();
}

function showAugmented() {
  const kind = fields.get("augmentation").text;
  const dataset = encodeURIComponent(fields.get("dataset").text);
  const path = `/datasets/${dataset}/contact-sheet.png?per_class=5&augmentation=${kind}`;
  const isShown = ["soft", "strong"].includes(kind);
  augmented.replaceChildren(...(isShown ? [picture(path, { class: "weights", alt: `Images after ${kind} augmentation` })] : []));
}

// The configuration that all runs share, and the values in which they differ.
function plan() {
  const base = {};
  const grid = {};
  const problems = [];
  for (const field of fields.values()) {
    field.showError(null);
    try {
      const values = field.values();
      if (values.length > 1) grid[field.row.name] = values;
      else base[field.row.name] = values[0];
    } catch (error) {
      field.showError(error.message);
      problems.push(error.message);
    }
  }
  return { base, grid, problems };
}

function runsOf({ base, grid }) {
  const join = (runs, [name, values]) => runs.flatMap((run) => values.map((value) => ({ ...run, [name]: value })));
  return Object.entries(grid).reduce(join, [base]);
}

function showEstimate() {
  const penalty = fields.get("l2_penalty");
  penalty.formula.textContent = mathematics(penalty.row.formulas[fields.get("l2_convention").text]);
  const planned = plan();
  const isSweep = Object.keys(planned.grid).length > 0;
  const button = byId("form").querySelector("[type=submit]");
  button.textContent = isSweep ? "Start the sweep" : "Start training";
  if (planned.problems.length) byId("estimate").textContent = "A field has an invalid value.";
  else byId("estimate").textContent = estimate ? estimate.describe(runsOf(planned)) : "";
}

async function submit(event) {
  event.preventDefault();
  const { base, grid, problems } = plan();
  if (problems.length) {
    byId("form").querySelector("[aria-invalid]").focus();
    return;
  }
  const button = event.submitter ?? byId("form").querySelector("[type=submit]");
  button.disabled = true;
  try {
    const isSweep = Object.keys(grid).length > 0;
    if (base.start_from && fields.get("hidden_layers").isDefault) delete base.hidden_layers; // as the model has them
    const { name, dataset, ...shared } = base;
    const made = await (isSweep ? post("/sweeps", { base: shared, grid, name, dataset }) : post("/jobs", base));
    go(address(isSweep ? { sweep: made.id } : { job: made.id }));
    scrollTo(0, 0);
  } catch (problem) {
    for (const [name, message] of Object.entries(problem.fields ?? {})) fields.get(name)?.showError(message);
    showError(problem.message);
  } finally {
    button.disabled = false;
  }
}

function showError(message) {
  byId("refusal").textContent = message;
  byId("refusal").hidden = !message;
}


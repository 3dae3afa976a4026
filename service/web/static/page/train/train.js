// Train: a form from the API's own table, kept in the address; one run, or a sweep.

import { DATASET, get, postOnce } from "../api.js";
import { html, useRef, useState } from "../html.js";
import { useLoaded } from "../parts/live.js";
import { Picture } from "../parts/picture.js";
import { address, go, isHidden, setParameters } from "../url.js";
import { estimateOf, loadSpeed } from "./estimate.js";
import { Field } from "./field.js";
import { Network } from "./network.js";
import { PRESETS } from "./presets.js";
import { mathematics, planOf, runsOf, written } from "./values.js";

// The settings for beginners; the others are one click away.
const FIRST = ["model", "classes", "hidden_layers", "learning_rate", "batch_size", "epochs", "l2_penalty"];
const N_PIXELS = 784;

// The fields of a job besides its hyperparameters.
const OTHERS = [
  { name: "name", kind: "text", nullable: true, default: null, allowed: "letters, digits, dots and dashes, or null", help: "the model to which this run adds a version" },
  { name: "dataset", kind: "choice", default: DATASET, choices: [], allowed: "one of those on this server", help: "the images to train on" },
];

export function Train({ params }) {
  const { data: table, problem } = useLoaded(() => get("/hyperparameters"), []);
  const { data: speed, problem: withoutSpeed } = useLoaded(loadSpeed, []);
  return html`
    <h1 id="train-title">Train a model</h1>
    <p class="lead">Choose the settings. Several values in a field, separated by commas, make a sweep. The address of this page contains all settings, so you can share it.</p>
    ${!isHidden("presets") && html`<div class="presets" role="group" aria-label="Presets">${PRESETS.map(preset)}</div>`}
    ${(problem ?? withoutSpeed) && html`<p class="note">${(problem ?? withoutSpeed).message}</p>`}
    ${table && html`<${Form} rows=${[...table.hyperparameters, ...OTHERS]} params=${params} speed=${speed} />`}
  `;
}

const preset = ({ label, help, values }) => html`<button key=${label} type="button" class="preset" title=${help} onClick=${() => go(address({ view: "train", ...values }))}>
  <b>${label}</b><span class="hint">${help}</span>
</button>`;

// The default of a field as text: a data set with fewer images than the defaults is used completely.
function defaultOf(row, sets, dataset) {
  const { training, test } = sets?.[dataset] ?? {};
  if (row.name === "train_size" && training?.n_images < row.default) return "";
  if (row.name === "validation_size" && test?.n_images < row.default) return String(test.n_images);
  return written(row.default, row.name);
}

function Form({ rows: table, params, speed }) {
  const given = Object.fromEntries(table.filter(({ name }) => params.has(name)).map(({ name }) => [name, params.get(name)]));
  const [edited, setEdited] = useState(given);
  const [refused, setRefused] = useState({ fields: {}, message: "" });
  const [isBusy, setBusy] = useState(false);
  const form = useRef(null);
  const dataset = edited.dataset ?? DATASET;
  const sets = speed ? Object.keys(speed.sets) : [dataset];
  const rows = table.map((row) => (row.name === "dataset" ? { ...row, choices: sets } : row));
  const textOf = (row) => edited[row.name] ?? defaultOf(row, speed?.sets, dataset);
  const plan = planOf(rows, textOf);
  const problems = { ...refused.fields, ...plan.problems };
  const isSweep = Object.keys(plan.grid).length > 0;

  const change = (row) => (text) => {
    const { [row.name]: _, ...others } = edited;
    const isDefault = text.trim() === defaultOf(row, speed?.sets, dataset);
    setEdited(isDefault ? others : { ...others, [row.name]: text });
    setRefused({ fields: {}, message: "" });
    setParameters({ [row.name]: isDefault ? null : text.trim() });
  };
  const field = (row) => html`<${Field} key=${row.name} row=${row} text=${textOf(row)} change=${change(row)} problem=${problems[row.name]}>${extra(row)}<//>`;
  const extra = (row) => {
    if (row.name === "l2_penalty") return html`<p class="formula">${mathematics(row.formulas[edited.l2_convention] ?? row.formulas.squared)}</p>`;
    if (row.name === "augmentation" && ["soft", "strong"].includes(textOf(row))) {
      const path = `/datasets/${encodeURIComponent(dataset)}/contact-sheet.png?per_class=5&augmentation=${textOf(row)}`;
      return html`<${Picture} class="weights" path=${path} alt=${`Images after ${textOf(row)} augmentation`} />`;
    }
    return null;
  };
  const submit = async (event) => {
    event.preventDefault();
    const paused = event.submitter?.value === "paused" || undefined;
    const wrong = form.current.querySelector("[aria-invalid]");
    if (Object.keys(plan.problems).length) {
      wrong.closest("details")?.setAttribute("open", "");
      wrong.focus();
      return;
    }
    setBusy(true);
    try {
      const { name, dataset, ...shared } = plan.base;
      if (shared.start_from && !edited.hidden_layers) delete shared.hidden_layers; // as the model has them
      const made = await (isSweep ? postOnce("/sweeps", { base: shared, grid: plan.grid, name, dataset }) : postOnce("/jobs", { ...shared, name, dataset, paused }));
      await go(address(isSweep ? { sweep: made.id } : { job: made.id }));
      scrollTo(0, 0);
    } catch (problem) {
      const fields = Object.fromEntries(Object.entries(problem.fields ?? {}).filter(([name]) => rows.some((row) => row.name === name)));
      setRefused({ fields, message: Object.keys(fields).length ? "" : problem.message });
      setBusy(false);
    }
  };
  const isFirst = ({ name }) => FIRST.includes(name);
  const isMore = Object.keys(given).some((name) => !FIRST.includes(name));
  return html`<form id="form" class="training" novalidate ref=${form} onSubmit=${submit}>
    <div>
      <div class="fields">${rows.filter(isFirst).map(field)}</div>
      <details id="more" open=${isMore} hidden=${isHidden("more")}>
        <summary>More settings</summary>
        <div class="fields">${rows.filter((row) => !isFirst(row)).map(field)}</div>
      </details>
    </div>
    <aside class="card start" aria-label="Summary">
      <p id="estimate" role="status">${speed && (Object.keys(plan.problems).length ? "A field has an invalid value." : estimateOf(speed, runsOf(plan)))}</p>
      ${networks(plan, speed?.sets[dataset]).map((sizes) => html`<${Network} key=${sizes.join()} sizes=${sizes} />`)}
      <p id="refusal" class="error" role="alert" hidden=${!refused.message}>${refused.message}</p>
      <button type="submit" class="main" disabled=${isBusy}>${isSweep ? "Start the sweep" : "Start training"}</button>
      ${!isSweep && html`<button type="submit" value="paused" disabled=${isBusy}>Train step by step</button>`}
    </aside>
  </form>`;
}

// The layers of each network that would be trained: pixels, hidden units, outputs.
function networks({ base, grid, problems }, set) {
  if (problems.hidden_layers || problems.classes || !set || base.start_from) return [];
  const outputs = base.model === "logistic" ? 1 : (base.classes ?? Object.keys(set.training.n_by_class)).length;
  return (grid.hidden_layers ?? [base.hidden_layers]).slice(0, 3).map((sizes) => [N_PIXELS, ...sizes, outputs]);
}

// Teaching: the default model trains on with a collection, and what that changed.

import { all, get, post, postOnce, versionPath } from "./api.js";
import { percent } from "./format.js";
import { html, useEffect, useRef } from "./html.js";
import { promote } from "./models/promotion.js";
import { useLive, useLoaded } from "./parts/live.js";
import { Act, Refusal } from "./parts/once.js";
import { Table } from "./parts/table.js";
import { address } from "./url.js";

const OWN_IMAGES = 20_000; // of the model's own data set, so that it takes seconds
const COPIES = 1000; // of the collection's images together
const MAX_WEIGHT = 200;
const TEST_IMAGES = 10_000;

// Freezes a collection and submits a job that begins with the weights of the default model; resolves to its id.
// Of a model that was taught before, the other collections are taught again.
export async function teach(collection) {
  const [frozen, { default: name }] = await Promise.all([post(`/collections/${encodeURIComponent(collection)}/versions`), get("/models?limit=1")]);
  const { version } = (await modelOf(name)).default;
  const [{ config, dataset }, { datasets }] = await Promise.all([get(versionPath(name, version)), all("datasets")]);
  const find = (its) => datasets.find((each) => each.name === its);
  const [own, ...earlier] = find(dataset.name).made_of.length ? find(dataset.name).made_of : [dataset];
  const isOther = (each) => each.name.replace(/-v\d+$/, "") !== collection;
  const sizeOf = (its) => find(its)?.training.n_images ?? frozen.training.n_images;
  const weight = Math.max(1, Math.min(MAX_WEIGHT, Math.ceil(COPIES / frozen.training.n_images)));
  const others = [...earlier.filter(isOther).map(({ name, weight }) => ({ name, weight })), { name: frozen.name, weight }];
  const n_others = others.reduce((sum, each) => sum + each.weight * sizeOf(each.name), 0);
  const job = {
    model: config.model,
    start_from: `${name}/${version}`,
    name,
    dataset: [{ name: own.name }, ...others],
    train_size: sizeOf(own.name) > OWN_IMAGES ? OWN_IMAGES + n_others : null,
    validation_size: Math.min(TEST_IMAGES, find(own.name).test.n_images),
    epochs: 1,
    learning_rate: 0.003,
    momentum: 0.9,
    patience: null,
    publish: "last",
  };
  return (await postOnce("/jobs", job)).id;
}

// The job that teaches, and at its end the old answer beside the new one, and the accuracy on the test images.
// label: of what is read. read({name, version}): resolves to the answer of a version in words. inputs: of what is read.
// changed(): called when the version has become the champion.
export function Taught({ id, label, read, inputs, changed, close }) {
  const load = async () => {
    const job = await get(`/jobs/${encodeURIComponent(id)}`);
    return [job, !job.finished_at];
  };
  const { data: job, problem, isLost } = useLive(load, [id]);
  const isDone = Boolean(job?.finished_at && job.model);
  const card = useRef(null);
  useEffect(() => card.current.scrollIntoView({ block: "nearest" }), [id]);
  return html`<div class="card taught" ref=${card}>
    <h2>What it learned</h2>
    ${(problem ?? (isLost || null)) && html`<p class="error" role="alert">${problem?.message ?? "The server cannot be reached. Retrying."}</p>`}
    ${job && !isDone && html`<p role="status">${words(job)}</p>
      <progress max="1" value=${job.progress?.fraction ?? null} aria-label="Training" hidden=${Boolean(job.finished_at)}></progress>`}
    ${isDone && html`<${Result} job=${job} label=${label} read=${read} inputs=${inputs} />`}
    <div class="row">
      ${isDone && html`<${Use} job=${job} changed=${changed} />`}
      <a class="button" href=${address({ job: id })}>See the job</a>
      <button type="button" onClick=${close}>Close</button>
    </div>
  </div>`;
}

function words({ state, finished_at: isOver, error }) {
  if (isOver) return error?.detail ?? `The training was ${state}.`;
  return state === "queued" ? "Waiting for its turn." : "Training, for a few seconds.";
}

function Result({ job, label, read, inputs }) {
  const { starts_from: before, model: after } = job;
  const { data: readings, problem } = useLoaded(() => Promise.all([before, after].map(read)), [job.id, ...inputs]);
  const query = new URLSearchParams([before, after].map(({ name, version }) => ["model", `${name}/${version}`]));
  const { data: comparison, problem: uncompared } = useLoaded(() => get(`/compare?${query}`), [job.id]);
  const accuracies = comparison?.models.map(({ accuracy }) => `${(100 * accuracy).toFixed(2)} %`) ?? ["…", "…"];
  const rows = [[label, ...(readings ?? ["…", "…"])], ["Test images", ...accuracies]];
  const failed = problem ?? uncompared;
  return html`
    <${Table} caption="Before and after" headings=${["", "Before", "After"]} rows=${rows} hasCsv=${false} />
    ${comparison && html`<p class="hint">${comparison.comparisons[0].sentence}</p>`}
    <${Refusal} problem=${failed} />`;
}

const modelOf = (name) => get(`/models/${encodeURIComponent(name)}`);

// Makes the version the champion, unless it is the one that predicts already.
function Use({ job: { model: { name, version } }, changed }) {
  const { data: model, problem, again } = useLoaded(() => modelOf(name), [name, version]);
  const use = async () => {
    if (!(await promote(model, version, "taught on the page"))) return;
    again();
    changed();
  };
  if (model?.default?.version === version) return html`<p role="status">Version ${version} reads drawings now.</p>`;
  return html`<${Act} class="main" disabled=${!model} act=${use}>Use version ${version}<//>
    <${Refusal} problem=${problem} />`;
}

// The digit of a prediction, and its probability.
export const inWords = ({ class_name: digit, probabilities }) => `${digit} (${percent(Math.max(...Object.values(probabilities).map(Number)))})`;

// A version of a model: its weights, its evaluation, its confusions, and the versions and aliases of the model.

import { get, versionPath } from "../api.js";
import { number, percent } from "../format.js";
import { html, useRef, useState } from "../html.js";
import { Architecture } from "../job/job.js";
import { namesOf } from "../names.js";
import { Chart } from "../parts/chart.js";
import { Matrix } from "../parts/confusion.js";
import { Gallery } from "../parts/gallery.js";
import { Annotation, Heading } from "../parts/annotation.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLoaded } from "../parts/live.js";
import { FileLink } from "../parts/picture.js";
import { compareAddress, Table } from "../parts/table.js";
import { Weights } from "../parts/weights.js";
import { address, go, isHidden } from "../url.js";
import { versionOf } from "../version.js";
import { Versions } from "./versions.js";

const HARDEST = 24;
const SHOWN = 48; // images of a cell of the confusion matrix
const CALIBRATION = [
  { label: "perfect calibration", colour: "series-faint", dash: [5, 5] },
  { label: "accuracy", colour: "series-2", points: true },
];

export function Model({ params }) {
  const [name, reference] = params.get("model").split("/");
  const load = async () => {
    const model = await get(`/models/${encodeURIComponent(name)}`);
    const version = reference ?? model.default?.version;
    const [manifest, found] = await Promise.all([get(versionPath(name, version)), versionOf(name, version).catch(() => undefined)]);
    return { model, manifest, found };
  };
  const { data, problem, isLost, again } = useLoaded(load, [name, reference]);
  const otherwise = data ? `${name}, version ${data.manifest.version}` : name;
  return html`
    <${Heading} id="model-page-title" path=${data && versionPath(name, data.manifest.version)} title=${data?.manifest.title ?? ""} otherwise=${otherwise} changed=${again} />
    <${Lost} when=${isLost} />
    ${problem && html`<${Empty} href="/?view=models" label="See all models">${problem.status === 404 ? "There is no such model or version." : problem.message}<//>`}
    ${data && html`<div id="inside"><${Inside} ...${data} again=${again} /></div>`}
  `;
}

function Inside({ model, manifest, found, again }) {
  return html`
    <${Head} manifest=${manifest} />
    <${WeightsCard} manifest=${manifest} found=${found} />
    ${manifest.tensors.length > 1 && html`<${Architecture} model=${manifest} nLayers=${manifest.tensors.length + 1} />`}
    <${Evaluation} manifest=${manifest} />
    <${Versions} model=${model} manifest=${manifest} again=${again} />
    <${Annotation} path=${versionPath(manifest.name, manifest.version)} kind="versions" view="models" tags=${manifest.tags} notes=${manifest.notes} changed=${again} />
  `;
}

function calibrationOf(certainty, { name }) {
  if (!certainty) return "Its probabilities are not calibrated.";
  const { temperature, n_images: images, part } = certainty;
  return `Its probabilities are calibrated${images ? ` on ${number(images)} ${part} images of ${name}` : ""}, with temperature ${temperature}.`;
}

function Head({ manifest: { name, version, config, job_id: job, job_exists: exists, metrics, published, aliases, tensors, certainty, dataset } }) {
  const path = versionPath(name, version);
  const layers = tensors.slice(0, -1).map(({ shape }) => shape[1]);
  const output = config.model === "logistic" ? "logistic" : "softmax";
  const kind = layers.length ? `A network with hidden layers of ${layers.join(" and ")} units and ${output} outputs` : `${output[0].toUpperCase()}${output.slice(1)} regression`;
  const how = config.learning_rate ? `learning rate ${config.learning_rate}, λ ${config.l2_penalty}` : "imported";
  const check = metrics.published;
  return html`<div class="card">
    <p>
      ${aliases.map((alias) => html`<span key=${alias} class="chip">${alias}</span> `)}
      ${`${kind}, ${how}. Its ${published} weights are those after step ${number(check.step)}: validation loss ${check.validation_loss.toFixed(4)}, accuracy ${percent(check.validation_accuracy)}. ${calibrationOf(certainty, dataset)}`}
    </p>
    <div class="row">
      <a class="button main" href=${address({ view: "draw", model: `${name}/${version}` })}>Draw with it</a>
      <a class="button" href=${compareAddress([`${name}/${version}`])}>Compare</a>
      ${job && exists !== false && html`<a class="button" href=${address({ job })}>Training run</a>`}
      <${FileLink} path=${`${path}/weights.npz`} name=${`${name}-${version}.npz`}>Weights (.npz)<//>
      <${FileLink} path=${path} name=${`${name}-${version}.json`}>Manifest (.json)<//>
      <${Delete} paths=${[path]} title=${`Delete version ${version} of ${name}?`} words="Its weights are lost. No other version gets its number." label="Delete this version" done=${() => go(address({ view: "models" }))} />
    </div>
    ${job && exists === false && html`<p class="hint">Its training job is not on this server, so there are no curves.</p>`}
  </div>`;
}

function WeightsCard({ manifest: { name, version, published, metrics, tensors }, found }) {
  const [which, setWhich] = useState(published);
  const [scale, setScale] = useState("tile");
  const at = (kind) => `${kind}, step ${number(metrics[kind].step)}`;
  return html`<div class="card" hidden=${isHidden("weights")}>
    <h2>Weights</h2>
    ${tensors.length === 1 &&
    html`<div class="row">
      <${Radios} label="Which weights" options=${{ best: at("best"), last: at("last") }} chosen=${which} choose=${setWhich} />
      <${Radios} label="Scale" options=${{ tile: "each digit on its own scale", shared: "one scale for all" }} chosen=${scale} choose=${setScale} />
    </div>`}
    <${Weights} name=${name} version=${version} which=${which} found=${which === published ? found : undefined} isShared=${scale === "shared"} />
  </div>`;
}

const Radios = ({ label, options, chosen, choose }) => html`<div class="radios" role="radiogroup" aria-label=${label}>
  ${Object.entries(options).map(([value, words]) => html`<label key=${value}><input type="radio" name=${label} value=${value} checked=${value === chosen} onChange=${() => choose(value)} />${words}</label>`)}
</div>`;

function Evaluation({ manifest }) {
  const { name, version } = manifest;
  const { data: found, problem } = useLoaded(() => get(`${versionPath(name, version)}/evaluation?hardest=${HARDEST}`), [name, version]);
  if (problem) return html`<p class="note">${problem.message}</p>`;
  if (!found) return html`<p class="card evaluating" role="status">Evaluating on the test images …</p>`;
  const nameOf = namesOf(manifest);
  const share = (value) => (value === null ? "–" : percent(value));
  const rows = found.per_class.map((each) => [nameOf(each.class), share(each.precision), share(each.recall), share(each.f1), number(each.n_images)]);
  const measured = ["Precision", "Recall", "F1", "Images"];
  return html`
    <div class="card" hidden=${isHidden("confusion")}>
      <h2>Confusions</h2>
      <p>${`${percent(found.accuracy)} of ${number(found.n_images)} test images are classified correctly; the mean loss is ${found.loss.toFixed(4)}.`}</p>
      <${Confusion} name=${name} version=${version} found=${found} nameOf=${nameOf} />
    </div>
    <div class="charts">
      <${Table} caption=${`Class by class: ${name}`} headings=${["Class", ...measured]} rows=${rows} />
      <${Calibration} ...${found.calibration} />
    </div>
    <div class="card"><h2>The hardest test images</h2><${Gallery} images=${found.hardest} dataset=${found.dataset} version=${`${name}/${version}`} nameOf=${nameOf} /></div>
  `;
}

// A cell of the matrix opens its images.
function Confusion({ name, version, found, nameOf }) {
  const [chosen, setChosen] = useState(null);
  const [opened, setOpened] = useState(null); // {found, problem}
  const newest = useRef(null);
  const choose = async (label, predicted) => {
    const cell = [label, predicted];
    newest.current = cell;
    setChosen(cell);
    const query = new URLSearchParams({ true: label, predicted, limit: String(SHOWN) });
    const answer = await get(`${versionPath(name, version)}/evaluation/images?${query}`).then((found) => ({ found }), (problem) => ({ problem }));
    if (newest.current === cell) setOpened({ ...answer, label, predicted });
  };
  const images = opened?.found;
  const few = images?.n_images > SHOWN ? ` The ${SHOWN} with the highest loss:` : "";
  const told = images && `${number(images.n_images)} image${images.n_images === 1 ? "" : "s"} of ${nameOf(opened.label)} classified as ${nameOf(opened.predicted)}.${few}`;
  return html`<div class="confusing">
    <${Matrix} classes=${found.classes} confusion=${found.confusion} nameOf=${nameOf} choose=${choose} chosen=${chosen} />
    <div class="cell-images" role="status">
      ${!opened && html`<p class="hint">Click a number to see its images.</p>`}
      ${opened?.problem && html`<p class="error">${opened.problem.message}</p>`}
      ${images && html`<p>${told}</p><${Gallery} images=${images.images} dataset=${images.dataset} version=${`${name}/${version}`} nameOf=${nameOf} />`}
    </div>
  </div>`;
}

// The accuracy of predictions by their probability.
function Calibration({ bins, expected_error: error }) {
  const used = bins.filter((bin) => bin.n_images);
  const x = used.map((bin) => bin.mean_probability);
  const sentence = `On average they differ by ${percent(error)}. Below the dashed line the model is overconfident, above it underconfident.`;
  return html`<${Chart} title="Calibration: accuracy by predicted probability" series=${CALIBRATION} data=${[x, x, used.map((bin) => bin.accuracy)]} words=${sentence} percent share>
    <p class="hint">${sentence}</p>
  <//>`;
}

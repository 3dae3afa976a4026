// A sweep: its members, ranked while they train, and pictures of the effect of the varied settings.

import { get, post } from "../api.js";
import { percent } from "../format.js";
import { html, useState } from "../html.js";
import { championOf, promote } from "../models/promotion.js";
import { Annotation, Heading } from "../parts/annotation.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLive, useLoaded } from "../parts/live.js";
import { Act } from "../parts/once.js";
import { Picture, WeightsFrame } from "../parts/picture.js";
import { Badge, Table, usePicks } from "../parts/table.js";
import { title, written } from "../train/values.js";
import { address, go, setParameters } from "../url.js";
import { Parallel } from "./parallel.js";

const METRICS = {
  validation_loss: "validation loss",
  validation_accuracy: "validation accuracy",
  train_loss: "training loss",
  train_accuracy: "training accuracy",
};
// Of a chart as its texts are legible: on a phone it is as narrow as the screen, and the texts stay as large.
const MAX_WIDTH = 600;
const MIN_WIDTH = 320;
const MARGINS = 80;
const ASPECT = 0.75;

export function Sweep({ params }) {
  const id = encodeURIComponent(params.get("sweep"));
  const picks = usePicks();
  const [metric, setMetric] = useState(params.get("rank_by") in METRICS ? params.get("rank_by") : "validation_loss");
  const load = async () => {
    const sweep = await get(`/sweeps/${id}?rank_by=${metric}`);
    return [sweep, sweep.state !== "finished"];
  };
  const { data: sweep, problem, isLost, again } = useLive(load, [id, metric]);
  const otherwise = sweep ? `A sweep over ${Object.keys(sweep.grid).map(title).join(" and ")}` : "A sweep";
  const rank = (event) => {
    setParameters({ rank_by: event.target.value });
    setMetric(event.target.value);
  };
  if (problem) return html`<h1 id="sweep-title">A sweep</h1><${Empty} href="/?view=sweeps" label="See all sweeps">There is no such sweep.<//>`;
  const isOver = sweep?.state === "finished";
  return html`
    <${Heading} id="sweep-title" path=${sweep && `/sweeps/${id}`} title=${sweep?.title ?? ""} otherwise=${otherwise} changed=${again} />
    <${Lost} when=${isLost} />
    ${sweep &&
    html`<div class="card">
        <p class="state" role="status">${isOver ? "All runs have finished; each is shown at its best check." : `${Math.round(100 * sweep.fraction)} % — the runs are trained side by side.`}</p>
        ${!isOver && html`<progress max="1" value=${sweep.fraction} aria-label="Progress"></progress>`}
        <div class="row">
          <label for="rank-by">Ranked by</label>
          <select id="rank-by" value=${metric} onChange=${rank}>${Object.entries(METRICS).map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>
          ${!isOver && html`<${Act} act=${() => post(`/sweeps/${id}/cancel`).then(again)}>Cancel all<//>`}
          ${picks.link}
          ${isOver && html`<${Delete} paths=${[`/sweeps/${id}`]} title="Delete this sweep?" words=${`Its ${sweep.members.length} jobs are deleted with it. The versions that they made stay.`} done=${() => go(address({ view: "sweeps" }))} />`}
        </div>
      </div>
      ${isOver && sweep.best && html`<${Best} sweep=${sweep} />`}
      <${Members} sweep=${sweep} picks=${picks} />
      <${Parallel} sweep=${sweep} metric=${metric} words=${METRICS[metric]} isHigh=${metric.endsWith("accuracy")} format=${metric.endsWith("accuracy") ? percent : (value) => value.toFixed(4)} />
      ${isOver && sweep.best && html`<${Pictures} sweep=${sweep} />`}
      <${Annotation} path=${`/sweeps/${id}`} kind="sweeps" view="sweeps" tags=${sweep.tags} notes=${sweep.notes} changed=${again} />`}
  `;
}

// The best run of all, and whether predictions are made with its weights.
function Best({ sweep: { name, best, members, ranked_by: metric } }) {
  const { model: made } = members.find(({ job }) => job === best);
  const { data: model, again } = useLoaded(() => (made ? get(`/models/${encodeURIComponent(made.name)}`) : null), [made?.version]);
  if (!made) return null;
  const { version } = made;
  const isChampion = model && championOf(model) === version;
  const use = () => promote(model, version, `the best of a sweep by ${METRICS[metric]}`).then(again);
  return html`<div class="card start" id="best">
    <p>${`The best run made version ${version} of ${name}. `}${isChampion ? "It is the champion: predictions are made with it." : "Predictions use another version so far."}</p>
    <a class="button" href=${address({ view: "models", model: `${name}/${version}` })}>Look inside</a>
    ${!isChampion && html`<${Act} class="main" disabled=${!model} act=${use}>Make it the champion<//>`}
  </div>`;
}

function Members({ sweep: { grid, members }, picks }) {
  const names = Object.keys(grid);
  const measured = ["Loss", "Accuracy", "Training accuracy"];
  const headings = ["", "Rank", ...names.map(title), "State", ...measured, ""];
  const row = ({ job, values, rank, state, metrics: { best } }) => {
    const label = names.map((name) => `${title(name)} ${written(values[name], name)}`).join(", ");
    return [
      picks.box(job, label),
      best ? String(rank) : "–",
      ...names.map((name) => written(values[name], name)),
      html`<${Badge} state=${state} />`,
      best ? best.validation_loss.toFixed(4) : "–",
      best ? percent(best.validation_accuracy) : "–",
      best ? percent(best.train_accuracy) : "–",
      html`<a href=${address({ job })} aria-label=${`Watch the run with ${label}`}>Watch</a>`,
    ];
  };
  return html`<${Table} caption="Runs of this sweep" headings=${headings} keys=${members.map(({ job }) => job)} rows=${members.map(row)} />`;
}

// Drawn by the server; only those that this grid has.
function Pictures({ sweep: { id, grid } }) {
  const varied = Object.keys(grid).filter((name) => name !== "seed" && grid[name].length > 1);
  const isPlane = varied.length === 2 && varied.every((name) => grid[name].every((value) => typeof value === "number"));
  const width = Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, innerWidth - MARGINS));
  const height = Math.round(ASPECT * width);
  // The chart has a title of its own.
  const figure = (file, words) => html`<figure class="card chart-card">
    <${Picture} class="weights" path=${`/sweeps/${id}/${file}?width_px=${width}&height_px=${height}`} width=${width} height=${height} alt=${words} />
  </figure>`;
  return html`
    <div class="charts wide">
      ${figure(`accuracy.svg`, "Validation accuracy of each run")}
      ${grid.l2_penalty && figure(`norms.svg`, "The norm of the weights over the L2 penalty λ")}
      ${isPlane && figure(`heatmap.svg`, `The lowest validation loss for each pair of ${varied.map(title).join(" and ")}`)}
    </div>
    <figure class="card">
      <figcaption>Weights of each run, all on one scale</figcaption>
      <${WeightsFrame}><${Picture} class="weights" path=${`/sweeps/${id}/weights.png?upscale=2&scale=shared`} alt="The weights of the best members, a row for each" /><//>
    </figure>
  `;
}

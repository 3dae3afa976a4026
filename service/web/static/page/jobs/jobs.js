// Jobs: the newest first, with their results; by state, and page by page.

import { get } from "../api.js";
import { count, moment, percent } from "../format.js";
import { html } from "../html.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLive } from "../parts/live.js";
import { Badge, Table, usePicks } from "../parts/table.js";
import { address } from "../url.js";

const STATES = ["queued", "running", "paused", "succeeded", "cancelled", "failed"];
const PAGE = 50;

export function Jobs({ params }) {
  const picks = usePicks();
  const state = STATES.includes(params.get("state")) ? params.get("state") : null;
  const before = params.get("before");
  const query = new URLSearchParams({ limit: String(PAGE), ...(state && { state }), ...(before && { before }) });
  const { data, problem, isLost, again } = useLive(async () => [await get(`/jobs?${query}`), !before], [`${query}`]);
  const deleted = () => {
    picks.clear();
    again();
  };
  const filter = (each) => html`<a key=${each} class="chip" href=${address({ view: "jobs", ...(each && { state: each }) })} aria-current=${each === state ? "true" : null}>${each ?? "all"}</a>`;
  return html`
    <h1 id="jobs-title">Jobs</h1>
    <p class="lead">All training jobs of this server, the newest first. Tick two or more to compare them.</p>
    <div class="row filter" role="group" aria-label="Filter by state">${[null, ...STATES].map(filter)}${picks.link}
      ${picks.chosen.length > 0 && html`<${Delete} paths=${picks.chosen.map((id) => `/jobs/${id}`)} title=${`Delete ${count(picks.chosen.length, "job")}?`} words="Their curves and their weights at each check are lost. The versions that they made stay." label=${`Delete ${count(picks.chosen.length, "job")}`} done=${deleted} />`}</div>
    <${Lost} when=${isLost} />
    ${problem && html`<${Empty} href="/?view=jobs" label="See all jobs">${problem.message}<//>`}
    ${data && !data.jobs.length && html`<${Empty} href="/?view=train" label="Train a model">${state ? `No job is ${state}.` : "There is no training job yet."}<//>`}
    ${data?.jobs.length > 0 && html`<${List} jobs=${data.jobs} picks=${picks} />`}
    ${data?.next && html`<a class="button" href=${address({ view: "jobs", before: data.next, ...(state && { state }) })}>Older jobs</a>`}
  `;
}

function List({ jobs, picks }) {
  const headings = ["", "Started", "Model", "State", "Accuracy", "Progress", "Settings"];
  return html`<${Table} caption="Training jobs" headings=${headings} keys=${jobs.map(({ id }) => id)} rows=${jobs.map((job) => rowOf(job, picks))} />`;
}

function rowOf(job, picks) {
  const { config, model } = job;
  const at = moment(job.started_at ?? job.created_at);
  const what = model ? `${model.name}, version ${model.version}` : config.model;
  const best = job.metrics.best;
  const layers = config.hidden_layers?.length ? `layers ${config.hidden_layers.join("-")}, ` : "";
  return [
    picks.box(job.id, `${what}, ${at}`),
    html`<a href=${address({ job: job.id })}>${at}</a>`,
    model ? html`<a href=${address({ view: "models", model: `${model.name}/${model.version}` })}>${what}</a>` : what,
    html`<${Badge} state=${job.state} />`,
    best ? percent(best.validation_accuracy) : "–",
    job.finished_at ? stopOf(job) : `${Math.round(100 * job.progress.fraction)} %`,
    `${layers}rate ${config.learning_rate}, batch ${config.batch_size}, λ ${config.l2_penalty}${config.shuffle ? "" : ", not shuffled"}`,
  ];
}

function stopOf({ stop_reason, progress }) {
  if (stop_reason === "early_stopping") return `stopped early in epoch ${progress.epoch + 1}`;
  if (stop_reason === "non_finite_loss") return "diverged";
  return stop_reason === "max_epochs" ? "all epochs" : "–";
}

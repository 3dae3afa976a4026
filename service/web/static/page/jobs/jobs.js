// Jobs: the newest first, with their results; searched, filtered, and page by page.

import { get } from "../api.js";
import { count, moment, percent } from "../format.js";
import { html } from "../html.js";
import { titleCell } from "../parts/annotation.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLive } from "../parts/live.js";
import { Nothing, Older, Search, useSearch } from "../parts/search.js";
import { Badge, Table, usePicks } from "../parts/table.js";
import { address } from "../url.js";

const STATES = ["queued", "running", "paused", "succeeded", "cancelled", "failed"];
const PAGE = "50";
const HEADINGS = ["", "Started", "Title", "Model", "State", "Accuracy", "Progress", "Settings"];

export function Jobs({ params }) {
  const picks = usePicks();
  const search = useSearch(params, "jobs", { limit: PAGE });
  const { data, problem, isLost, again } = useLive(async () => [await get(`/jobs?${search.query}`), search.isFirstPage], [search.query]);
  const deleted = () => {
    picks.clear();
    again();
  };
  const isEmpty = data?.jobs.length === 0;
  return html`
    <h1 id="jobs-title">Jobs</h1>
    <p class="lead">All training jobs of this server, the newest first. Tick two or more to compare them.</p>
    <${Search} search=${search} kinds=${["jobs"]} states=${STATES}>
      ${picks.chosen.length > 0 && html`<div class="row">${picks.link}<${Delete} paths=${picks.chosen.map((id) => `/jobs/${id}`)} title=${`Delete ${count(picks.chosen.length, "job")}?`} words="Their curves and their weights at each check are lost. The versions that they made stay." label=${`Delete ${count(picks.chosen.length, "job")}`} done=${deleted} /></div>`}
    <//>
    <${Lost} when=${isLost} />
    ${problem && html`<${Empty} href="/?view=jobs" label="See all jobs">${problem.message}<//>`}
    ${isEmpty && (search.isFiltered ? html`<${Nothing} search=${search} />` : html`<${Empty} href="/?view=train" label="Train a model">There is no training job yet.<//>`)}
    ${data?.jobs.length > 0 && html`<${Table} caption="Training jobs" headings=${HEADINGS} keys=${data.jobs.map(({ id }) => id)} rows=${data.jobs.map((job) => rowOf(job, picks, again))} />`}
    <${Older} search=${search} next=${data?.next}>Older jobs<//>
  `;
}

function rowOf(job, picks, again) {
  const { id, config, model } = job;
  const at = moment(job.started_at ?? job.created_at);
  const what = model ? `${model.name}, version ${model.version}` : config.model;
  const best = job.metrics.best;
  const layers = config.hidden_layers?.length ? `layers ${config.hidden_layers.join("-")}, ` : "";
  return [
    picks.box(id, `${what}, ${at}`),
    html`<a href=${address({ job: id })}>${at}</a>`,
    titleCell(job, { path: `/jobs/${id}`, href: address({ job: id }), view: "jobs", what: `the run of ${at}`, changed: again }),
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

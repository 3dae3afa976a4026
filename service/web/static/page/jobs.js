// Jobs: the newest first, with their results; by state, and page by page.

import { get } from "./api.js";
import { percent } from "./bars.js";
import { compareAddress } from "./compare.js";
import { byId, element, emptyState, redraw } from "./element.js";
import { keepFresh } from "./fresh.js";
import { badge, moment, Picks, table } from "./table.js";
import { address } from "./url.js";

const STATES = ["queued", "running", "succeeded", "cancelled", "failed"];
const PAGE = 50;

export function showJobs(params) {
  const place = byId("job-list");
  const picks = new Picks();
  const state = STATES.includes(params.get("state")) ? params.get("state") : null;
  const parameters = new URLSearchParams({ limit: PAGE, ...(state ? { state } : {}), ...(params.has("before") ? { before: params.get("before") } : {}) });
  byId("job-filter").replaceChildren(...filters(state), picks.link);
  place.replaceChildren();
  let shown = "";

  async function load(isLeft) {
    const { jobs, next } = await get(`/jobs?${parameters}`);
    if (isLeft()) return false;
    const text = JSON.stringify(jobs);
    if (text !== shown) redraw(place, ...content(jobs, next, state, picks));
    shown = text;
    return !params.has("before");
  }

  return keepFresh(place, load, (problem) => emptyState(problem.message, "/?view=jobs", "See all jobs")).stop;
}

function filters(chosen) {
  return [null, ...STATES].map((state) =>
    element(
      "a",
      { class: "chip", href: address({ view: "jobs", ...(state ? { state } : {}) }), "aria-current": state === chosen ? "true" : null },
      state ?? "all",
    ),
  );
}

function content(jobs, next, state, picks) {
  if (!jobs.length) {
    return [emptyState(state ? `No job is ${state}.` : "There is no training job yet.", "/?view=train", "Train a model")];
  }
  const made = [table("Training jobs", ["", "Started", "Model", "State", "Accuracy", "Progress", "Settings"], jobs.map((job) => row(job, picks)))];
  if (next) {
    const params = { view: "jobs", before: next, ...(state ? { state } : {}) };
    made.push(element("a", { class: "button", href: address(params) }, "Older jobs"));
  }
  return made;
}

function row(job, picks) {
  const { config } = job;
  const at = moment(job.started_at ?? job.created_at);
  const what = job.model ? `${job.model.name}, version ${job.model.version}` : config.model;
  const best = job.metrics.best;
  return [
    picks.box(job.id, `${what}, ${at}`, compareAddress),
    element("a", { href: address({ job: job.id }) }, at),
    job.model ? element("a", { href: address({ view: "models", model: `${job.model.name}/${job.model.version}` }) }, what) : what,
    badge(job.state),
    best ? percent(best.validation_accuracy) : "–",
    job.finished_at ? stopOf(job) : `${Math.round(100 * job.progress.fraction)} %`,
    `rate ${config.learning_rate}, batch ${config.batch_size}, λ ${config.l2_penalty}${config.shuffle ? "" : ", not shuffled"}`,
  ];
}

function stopOf({ stop_reason, progress }) {
  if (stop_reason === "early_stopping") return `stopped early in epoch ${progress.epoch}`;
  if (stop_reason === "non_finite_loss") return "diverged";
  return stop_reason === "max_epochs" ? "all epochs" : "–";
}


// Jobs: the newest first, and how they went.

import { get } from "./api.js";
import { percent } from "./bars.js";
import { byId, element, emptyState } from "./element.js";
import { badge, table } from "./table.js";
import { address } from "./url.js";

const EVERY_MS = 2000;

export function showJobs() {
  const place = byId("job-list");
  let timer = null;
  let isLeft = false;

  async function load() {
    try {
      const { jobs } = await get("/jobs?limit=50");
      if (isLeft) return;
      if (jobs.length) place.replaceChildren(table("Training jobs", ["Started", "Model", "State", "Accuracy", "Settings"], jobs.map(row)));
      else place.replaceChildren(emptyState("Nothing has been trained here yet.", "/?view=train", "Train a model"));
      if (jobs.some((job) => !job.finished_at)) timer = setTimeout(load, EVERY_MS);
    } catch (problem) {
      if (isLeft) return;
      place.replaceChildren(element("p", { class: "note" }, problem.message));
      timer = setTimeout(load, EVERY_MS);
    }
  }

  load();
  return () => {
    isLeft = true;
    clearTimeout(timer);
  };
}

function row(job) {
  const { config } = job;
  const at = new Date(job.started_at ?? job.created_at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  const what = job.model ? `${job.model.name}, version ${job.model.version}` : config.model;
  const best = job.metrics.best;
  return [
    element("a", { href: address({ job: job.id }) }, at),
    what,
    badge(job.state),
    best ? percent(best.validation_accuracy) : "–",
    `rate ${config.learning_rate}, batch ${config.batch_size}, λ ${config.l2_penalty}`,
  ];
}

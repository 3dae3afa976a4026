// Watch: a job during its training, and after.

import { get, post } from "./api.js";
import { percent } from "./bars.js";
import { Curves } from "./curves.js";
import { byId, element, emptyState } from "./element.js";
import { duration, number } from "./estimate.js";
import { lostNote } from "./fresh.js";
import { namesOf } from "./names.js";
import { Resume } from "./resume.js";
import { JobStream } from "./stream.js";
import { showSweep } from "./sweep.js";
import { settingsAddress } from "./train.js";
import { Travel } from "./travel.js";
import { address, go, hideParts, setTitle } from "./url.js";

export const OVER = ["succeeded", "failed", "cancelled"];
const STATE_TEXTS = {
  queued: "Waiting for a free worker.",
  running: "Training.",
  cancelling: "Stopping after this step.",
  succeeded: "Done.",
  failed: "Failed.",
  cancelled: "Cancelled.",
};

export function showWatch(params) {
  const place = byId("watched");
  place.replaceChildren();
  byId("watch-title").textContent = params.has("sweep") ? "A sweep" : "A training job";
  if (params.has("sweep")) return showSweep(place, params.get("sweep"));
  const watched = new Watched(place, params.get("job"));
  watched.start();
  return () => watched.close();
}

class Watched {
  constructor(place, jobId) {
    this.place = place;
    this.jobId = jobId;
  }

  async start() {
    let table;
    try {
      [this.job, table] = await Promise.all([get(`/jobs/${encodeURIComponent(this.jobId)}`), get("/hyperparameters")]);
    } catch (problem) {
      const text = problem.status === 404 || problem.status === 422 ? "There is no such job: it was deleted, or ran on another server." : problem.message;
      this.place.replaceChildren(emptyState(text, "/?view=jobs", "See all jobs"));
      return;
    }
    const { config } = this.job;
    this.nameOf = await get(`/datasets/${encodeURIComponent(config.dataset)}`).then(namesOf, () => String); // it may be damaged
    if (this.isClosed) return;
    this.defaults = Object.fromEntries(table.hyperparameters.map((row) => [row.name, row.default]));
    this.#build();
    this.stream = new JobStream(this.jobId, {
      state: ({ state }) => this.#state(state),
      check: (check) => this.#check(check),
      end: () => this.#finish(),
      link: (isUp, problem) => this.#link(isUp, problem),
    });
  }

  close() {
    this.isClosed = true;
    this.stream?.close();
    this.curves?.close();
    this.travel?.close();
  }

  #build() {
    const { config } = this.job;
    setTitle("watch-title", `Training ${this.job.model?.name ?? config.name ?? config.model}`);
    this.curves = new Curves(this.jobId);
    this.travel = new Travel(this.job, this.curves, this.nameOf);
    this.state = element("p", { class: "state", role: "status" });
    this.lost = lostNote();
    this.progress = meter("Progress", "progress");
    this.patience = meter("Patience left", "patience");
    this.patience.node.hidden = config.patience === null;
    this.summary = element("p", { class: "story" });
    this.problem = element("p", { class: "error", role: "alert", hidden: true });
    this.cancel = element("button", { type: "button", onclick: () => this.#cancel() }, "Cancel");
    const reuse = element("a", { class: "button", href: settingsAddress(config, this.defaults) }, "Use these settings");
    this.use = element("a", { class: "button main", hidden: true }, "Draw with it");
    this.look = element("a", { class: "button", hidden: true }, "Look inside");
    this.compare = element("a", { class: "button", href: address({ view: "compare", with: this.jobId }) }, "Compare");
    this.verify = element("button", { type: "button", hidden: true, onclick: () => this.#verify() }, "Train it again and compare");
    this.resume = new Resume(this.job, (problem) => this.#showError(problem));
    const actions = element("div", { class: "row", "data-hides": "actions" }, this.use, this.look, this.cancel, this.compare, reuse, this.verify, this.resume.node);
    const meters = element("div", { class: "meters" }, this.progress.node, this.patience.node);
    const head = element("div", { class: "card" }, this.lost, this.state, this.summary, meters, this.problem, actions);
    const charts = element("div", { class: "charts" }, this.curves.loss.node, this.curves.accuracy.node);
    this.place.replaceChildren(head, charts, this.travel.node, settingsOf(config, this.defaults));
    hideParts(this.place);
    this.#state(this.job.state);
    if (OVER.includes(this.job.state)) this.#end();
  }

  #state(state) {
    if (this.ended) return;
    this.job.state = state;
    this.state.replaceChildren(element("span", { class: `badge ${state}` }, state), ` ${STATE_TEXTS[state]}`);
    this.cancel.hidden = OVER.includes(state) || state === "cancelling";
  }

  #check(check) {
    this.curves.add(check);
    this.travel.update();
    const { fraction, epoch, step, eta_s, patience_left } = check.progress;
    const { patience } = this.job.config;
    const eta = eta_s > 0 && fraction < 1 ? `, at most ${duration(eta_s)} left` : "";
    this.progress.show(fraction, `${Math.round(100 * fraction)} % — epoch ${number(epoch)}, step ${number(step)}${this.ended ? "" : eta}`);
    if (patience !== null) this.patience.show(patience_left / patience, `${patience_left} of ${patience} checks`);
    if (!this.ended) this.summary.textContent = `Validation: loss ${check.validation_loss.toFixed(4)}, accuracy ${percent(check.validation_accuracy)}.`;
  }

  async #finish() {
    try {
      this.job = await get(`/jobs/${this.jobId}`);
    } catch (problem) {
      this.#showError(problem);
    }
    if (this.isClosed) return;
    this.#state(this.job.state);
    this.#end();
    this.curves.finish(this.job.stop_reason === "early_stopping");
    this.travel.job = this.job;
    this.travel.update(true);
  }

  #end() {
    this.ended = true;
    this.summary.textContent = summaryOf(this.job);
    const { model } = this.job;
    if (model) {
      this.use.href = address({ view: "draw", model: `${model.name}/${model.version}` });
      this.look.href = address({ view: "models", model: `${model.name}/${model.version}` });
      this.use.hidden = this.look.hidden = this.verify.hidden = false;
    }
    this.resume.offer(this.job);
  }

  #link(isUp, problem) {
    this.lost.hidden = isUp;
    if (problem?.status === 404) {
      this.stream.close();
      this.place.replaceChildren(emptyState("This job has been deleted.", "/?view=jobs", "See all jobs"));
    }
  }

  async #cancel() {
    this.cancel.disabled = true;
    try {
      await post(`/jobs/${this.jobId}/cancel`);
    } catch (problem) {
      if (problem.type !== "invalid-job-transition") this.#showError(problem);
    } finally {
      this.cancel.disabled = false;
    }
  }

  async #verify() {
    try {
      go(address({ job: (await post(`/jobs/${this.jobId}/verify`)).id }));
    } catch (problem) {
      this.#showError(problem);
    }
  }

  #showError(problem) {
    this.problem.textContent = problem.message;
    this.problem.hidden = false;
  }
}

// Why the run ended, and its best check.
function summaryOf({ metrics: { best, latest }, stop_reason, config, state, error, model, verification }) {
  if (verification?.outcome) {
    const { name, version } = verification.model;
    const again = `${name}, version ${version}, was trained again from its record`;
    return verification.outcome.identical ? `${again}: the weights are identical, bit for bit.` : `${again}: the weights differ, because the processor or the software is different.`;
  }
  if (error) return `${error.message ?? error.detail ?? error} Use these settings and try other values.`;
  if (!best) return state === "cancelled" ? "Cancelled before the first check." : "";
  const where = `step ${number(best.step)} (epoch ${number(best.epoch)}), with a validation loss of ${best.validation_loss.toFixed(4)} and an accuracy of ${percent(best.validation_accuracy)}`;
  const which = model ? ` The weights were saved as ${model.name}, version ${model.version}.` : "";
  if (stop_reason === "early_stopping") {
    return `Early stopping ended the run at step ${number(latest.step)}: the best check was at ${where}, and ${config.patience} more checks found no lower loss.${which}`;
  }
  if (stop_reason === "cancelled") return `Cancelled at step ${number(latest.step)}; the best check was at ${where}.${which}`;
  return `All epochs are complete; the best check was at ${where}.${which}`;
}

function meter(label, kind) {
  const bar = element("progress", { max: "1", value: "0", class: kind, "aria-label": label });
  const text = element("span", { class: "value" }, "–");
  const node = element("div", { class: "meter" }, element("span", { class: "name" }, label), text, bar);
  const show = (fraction, words) => {
    bar.value = fraction;
    text.textContent = words;
  };
  return { node, show };
}

function settingsOf(config, defaults) {
  const rows = Object.entries(config).map(([name, value]) =>
    element(
      "tr",
      { class: JSON.stringify(value) === JSON.stringify(defaults[name]) ? "" : "changed" },
      element("th", { scope: "row" }, name.replaceAll("_", " ")),
      element("td", {}, value === null ? "none" : Array.isArray(value) ? value.join(", ") : String(value)),
    ),
  );
  return element("details", { class: "card" }, element("summary", {}, "Settings of this run"), element("table", { class: "settings" }, element("tbody", {}, rows)));
}

// More epochs for a job that is over: a new job, which goes on where this one ended.

import { post } from "./api.js";
import { element } from "./element.js";
import { address, go } from "./url.js";

export class Resume {
  constructor(job, complain) {
    this.complain = complain;
    this.epochs = element("input", { type: "text", id: "resume-epochs", inputmode: "numeric", autocomplete: "off" });
    this.button = element("button", { type: "submit" }, "Resume");
    this.node = element(
      "form",
      { class: "row resume", hidden: true },
      element("label", { for: "resume-epochs" }, "Go on up to epoch"),
      this.epochs,
      this.button,
    );
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(job.id);
    });
  }

  // What made all its epochs may make as many again; what early stopping ended needs more patience, too.
  offer(job) {
    const { config, metrics, stop_reason } = job;
    if (!this.node.hidden) return; // what somebody typed meanwhile stays
    if (!metrics.latest || stop_reason === "non_finite_loss" || job.verification) return;
    this.isOutOfPatience = stop_reason === "early_stopping";
    this.patience = config.patience;
    this.epochs.value = stop_reason === "max_epochs" ? Math.min(10_000, 2 * config.epochs) : config.epochs;
    if (this.isOutOfPatience) this.button.textContent = `Resume with a patience of ${2 * this.patience}`;
    this.node.hidden = false;
  }

  async #submit(jobId) {
    this.button.disabled = true;
    const changes = { epochs: Number(this.epochs.value), ...(this.isOutOfPatience ? { patience: 2 * this.patience } : {}) };
    try {
      const job = await post(`/jobs/${jobId}/resume`, changes);
      go(address({ job: job.id }));
    } catch (problem) {
      this.complain(problem);
    } finally {
      this.button.disabled = false;
    }
  }
}

// More epochs for a finished job: a new job that continues from its end.

import { post } from "./api.js";
import { element } from "./element.js";
import { address, go } from "./url.js";

export class Resume {
  constructor(job, showError) {
    this.showError = showError;
    this.epochs = element("input", { type: "text", id: "resume-epochs", inputmode: "numeric", autocomplete: "off" });
    this.button = element("button", { type: "submit" }, "Resume");
    this.node = element(
      "form",
      { class: "row resume", hidden: true },
      element("label", { for: "resume-epochs" }, "Continue to epoch"),
      this.epochs,
      this.button,
    );
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(job.id);
    });
  }

  // After all its epochs, as many again are suggested; after early stopping, more patience is needed, too.
  offer(job) {
    const { config, metrics, stop_reason } = job;
    if (!this.node.hidden) return; // typed values stay
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
      this.showError(problem);
    } finally {
      this.button.disabled = false;
    }
  }
}

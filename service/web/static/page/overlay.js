// The curves of several runs in the same charts.

import { get } from "./api.js";
import { Chart } from "./charts.js";
import { element } from "./element.js";

const POINTS = 400;

export class Overlay {
  constructor() {
    this.node = element("div", { class: "charts" });
    this.note = element("p", { class: "hint" });
    this.charts = [];
  }

  async show(runs) {
    const trained = runs.filter((run) => run.job);
    const metrics = await Promise.all(trained.map((run) => get(`/jobs/${run.job.id}/metrics?max_points=${POINTS}`)));
    const labels = trained.map((run) => run.label).join();
    if (labels !== this.labels) this.#build(trained);
    this.labels = labels;
    const missing = runs.filter((run) => !run.job).map((run) => run.label);
    this.note.textContent = missing.length ? `No curves for ${missing.join(" and ")}: the training job is not on this server.` : "";
    const drawn = metrics.map(({ checks }) => checks);
    if (!drawn.length) return;
    const of = (name) => window.uPlot.join(drawn.map((checks) => [checks.map((check) => check.step), checks.map((check) => check[name])]));
    ["validation_loss", "validation_accuracy", "train_accuracy"].forEach((name, i) => {
      this.charts[i].show(of(name), trained.map((run, k) => `${run.label}: ${drawn[k].at(-1)?.[name]?.toFixed(4) ?? "no check yet"}`).join("; "));
    });
  }

  close() {
    for (const chart of this.charts) chart.close();
  }

  #build(runs) {
    this.close();
    const series = runs.map(({ label, colour }) => ({ label, colour }));
    const chart = (title, percent) => new Chart(title, series, { percent, sync: "overlay" });
    this.charts = runs.length ? [chart("Validation loss", false), chart("Validation accuracy", true), chart("Training accuracy", true)] : [];
    this.node.replaceChildren(...this.charts.map(({ node }) => node), this.note);
  }
}

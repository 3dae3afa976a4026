// A sweep: its members, ranked, as they learn.

import { get, post } from "./api.js";
import { percent } from "./bars.js";
import { element, emptyState, weightsFrame } from "./element.js";
import { title } from "./field.js";
import { badge, table } from "./table.js";
import { address } from "./url.js";

const EVERY_MS = 1000;

export function showSweep(place, sweepId) {
  let timer = null;
  let isLeft = false;
  const id = encodeURIComponent(sweepId);

  async function load() {
    try {
      const sweep = await get(`/sweeps/${id}`);
      if (isLeft) return;
      draw(place, sweep, () => post(`/sweeps/${id}/cancel`).then(load));
      if (sweep.state !== "finished") timer = setTimeout(load, EVERY_MS);
    } catch (problem) {
      if (isLeft) return;
      if (problem.status === 404) place.replaceChildren(emptyState("There is no such sweep.", "/?view=train", "Train a model"));
      else timer = setTimeout(load, EVERY_MS);
    }
  }

  load();
  return () => {
    isLeft = true;
    clearTimeout(timer);
  };
}

function draw(place, sweep, cancel) {
  const names = Object.keys(sweep.grid);
  const rows = sweep.members.map((member) => {
    const best = member.metrics.best;
    return [
      member.rank ? String(member.rank) : "–",
      ...names.map((name) => element("a", { href: address({ job: member.job }) }, String(member.values[name]))),
      badge(member.state),
      best ? best.validation_loss.toFixed(4) : "–",
      best ? percent(best.validation_accuracy) : "–",
    ];
  });
  const headings = ["Rank", ...names.map(title), "State", "Validation loss", "Accuracy"];
  const bar = element("progress", { max: "1", value: String(sweep.fraction), "aria-label": "Progress" });
  const isOver = sweep.state === "finished";
  const words = isOver ? "All runs are over, each shown at its best check." : `${Math.round(100 * sweep.fraction)} % — the runs are trained side by side.`;
  const head = element("div", { class: "card" }, element("p", { class: "state" }, words), bar);
  if (!isOver) head.append(element("div", { class: "row" }, element("button", { type: "button", onclick: cancel }, "Cancel all")));
  const parts = [head, table("Runs of this sweep", headings, rows)];
  if (isOver && sweep.members.some((member) => member.metrics.best)) {
    const alt = "The weights of the best members, a row for each";
    const src = `/api/v1/sweeps/${sweep.id}/weights.png?upscale=2&scale=per_row`;
    parts.push(element("figure", { class: "card" }, element("figcaption", {}, "What each run has learned"), weightsFrame(element("img", { class: "weights", src, alt }))));
  }
  place.replaceChildren(...parts);
}

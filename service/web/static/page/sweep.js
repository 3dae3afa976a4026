// A sweep: its members, ranked while they train, and pictures of the effect of the varied settings.

import { get, post } from "./api.js";
import { percent } from "./bars.js";
import { compareAddress } from "./compare.js";
import { element, emptyState, redraw, weightsFrame } from "./element.js";
import { mathematics, title } from "./field.js";
import { keepFresh } from "./fresh.js";
import { picture } from "./picture.js";
import { badge, Picks, table } from "./table.js";
import { address, query, setParameters, setTitle } from "./url.js";

const METRICS = {
  validation_loss: "validation loss",
  validation_accuracy: "validation accuracy",
  train_loss: "training loss",
  train_accuracy: "training accuracy",
};

export function showSweep(place, sweepId) {
  const id = encodeURIComponent(sweepId);
  const picks = new Picks();
  const pictures = element("div", {});
  const list = element("div", {});
  const head = new Head(picks.link, () => post(`/sweeps/${id}/cancel`).then(fresh.again), () => fresh.again());
  place.replaceChildren(head.node, list, pictures);

  async function load(isLeft) {
    const sweep = await get(`/sweeps/${id}?rank_by=${metricOf()}`);
    if (isLeft()) return false;
    const isOver = sweep.state === "finished";
    head.show(sweep, isOver);
    redraw(list, table("Runs of this sweep", headings(sweep), sweep.members.map((member) => row(member, sweep, picks))));
    if (isOver && sweep.best && !pictures.hasChildNodes()) pictures.append(...picturesOf(sweep));
    return !isOver;
  }

  const fresh = keepFresh(place, load, () => emptyState("There is no such sweep.", "/?view=sweeps", "See all sweeps"));
  return fresh.stop;
}

const metricOf = () => (query().get("rank_by") in METRICS ? query().get("rank_by") : "validation_loss");

// Made once, so that an open list stays open during training.
class Head {
  constructor(compare, cancel, rank) {
    this.words = element("p", { class: "state", role: "status" });
    this.bar = element("progress", { max: "1", "aria-label": "Progress" });
    const options = Object.entries(METRICS).map(([value, label]) => element("option", { value, selected: value === metricOf() }, label));
    const select = element("select", { id: "rank-by" }, options);
    select.addEventListener("change", () => {
      setParameters({ rank_by: select.value });
      rank();
    });
    this.cancel = element("button", { type: "button", onclick: cancel }, "Cancel all");
    const row = element("div", { class: "row" }, element("label", { for: "rank-by" }, "Ranked by"), select, this.cancel, compare);
    this.node = element("div", { class: "card", hidden: true }, this.words, this.bar, row);
  }

  show({ grid, fraction }, isOver) {
    setTitle("watch-title", `A sweep over ${Object.keys(grid).map((name) => title(name)).join(" and ")}`);
    this.words.textContent = isOver ? "All runs have finished; each is shown at its best check." : `${Math.round(100 * fraction)} % — the runs are trained side by side.`;
    this.bar.value = fraction;
    this.cancel.hidden = isOver;
    this.node.hidden = false;
  }
}

const headings = ({ grid }) => ["", "Rank", ...Object.keys(grid).map(title), "State", "Loss", "Accuracy", "Training accuracy", ""];

function row(member, { grid }, picks) {
  const { best } = member.metrics;
  const names = Object.keys(grid);
  const label = names.map((name) => `${title(name)} ${member.values[name]}`).join(", ");
  return [
    picks.box(member.job, label, compareAddress),
    member.metrics.best ? String(member.rank) : "–",
    ...names.map((name) => String(member.values[name])),
    badge(member.state),
    best ? best.validation_loss.toFixed(4) : "–",
    best ? percent(best.validation_accuracy) : "–",
    best ? percent(best.train_accuracy) : "–",
    element("a", { href: address({ job: member.job }), "aria-label": `Watch the run with ${label}` }, "Watch"),
  ];
}

// Drawn by the server; only those that this grid has.
function picturesOf({ id, grid }) {
  const numbers = Object.keys(grid).filter((name) => name !== "seed" && grid[name].every((value) => typeof value === "number"));
  const made = [
    figure(id, "accuracy.svg?width_px=600&height_px=420", "Validation accuracy of each run"),
    grid.l2_penalty && figure(id, "norms.svg?width_px=600&height_px=420", mathematics("The norm of the weights over the L2 penalty lambda")),
    numbers.length === 2 && figure(id, "heatmap.svg?width_px=600&height_px=420", `The lowest validation loss for each pair of ${numbers.map(title).join(" and ")}`),
  ];
  const weights = picture(`/sweeps/${id}/weights.png?upscale=2&scale=per_row`, { class: "weights", alt: "The weights of the best members, a row for each" });
  return [
    element("div", { class: "charts" }, made.filter(Boolean)),
    element("figure", { class: "card" }, element("figcaption", {}, "Weights of each run"), weightsFrame(weights)),
  ];
}

function figure(id, file, caption) {
  return element("figure", { class: "card chart-card" }, element("figcaption", {}, caption), picture(`/sweeps/${id}/${file}`, { class: "weights", alt: caption }));
}

// Time travel: the weights of a run, its confusions and its prediction for a digit, at every check; at the newest, live.

import { get } from "./api.js";
import { percent, showBars } from "./bars.js";
import { matrix } from "./confusion.js";
import { lastDrawn } from "./drawn.js";
import { element } from "./element.js";
import { number } from "./estimate.js";
import { Newest } from "./newest.js";
import { Past } from "./past.js";
import { picture } from "./picture.js";
import { drawGrey } from "./pixels.js";
import { planesOf, Tiles } from "./tiles.js";
import { address, query, setParameters } from "./url.js";

const EVERY_MS = 700;
const PLAY_MS = 60;

export class Travel {
  // curves: the checks, and the charts that mark the shown one. nameOf: the names of the classes.
  constructor(job, curves, nameOf) {
    const { classes } = job.config;
    this.job = job;
    this.nameOf = nameOf;
    this.classes = classes;
    this.curves = curves;
    this.past = new Past(job.id);
    this.tiles = new Tiles(classes, "weight", { nameOf });
    this.words = element("p", { class: "when", role: "status" }, "The weights appear with the first check.");
    this.slider = element("input", { type: "range", min: "0", max: "0", value: "0", "aria-label": "Check", disabled: true });
    this.play = element("button", { type: "button", disabled: true, onclick: () => this.#playOrStop() }, "Play");
    this.shared = element("input", { type: "checkbox" });
    this.digit = element("canvas", { width: 28, height: 28, role: "img", "aria-label": "The digit to classify" });
    this.source = element("p", { class: "hint" });
    this.bars = element("ol", { class: "bars", "aria-label": "Probability of each digit at this check" });
    this.confusion = element("div", { class: "confusing" });
    this.isLive = !query().has("step");
    this.slider.addEventListener("input", () => this.#travel(Number(this.slider.value)));
    this.shared.addEventListener("change", () => this.#draw());
    this.loading = new Newest(() => this.#load());
    this.counting = new Newest(() => this.#count());
    this.node = this.#build();
    lastDrawn(job.config.dataset, classes.at(-1)).then((drawn) => this.#take(drawn), () => {});
  }

  // A check has been made. At the end, the snapshots that the server has kept are fetched again.
  update(isOver = false) {
    if (isOver) this.past.isThinned = true;
    if (isOver || !this.timer) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.timer = null;
        this.loading.run();
      }, isOver || !this.past.steps.length ? 0 : EVERY_MS);
    }
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearInterval(this.player);
  }

  #build() {
    const prediction = element("div", { class: "asked" }, element("figure", {}, this.digit, this.source), this.bars);
    return element(
      "div",
      { class: "card travel", "data-hides": "travel" },
      element("h2", {}, "Weights at each check"),
      element("div", { class: "row" }, this.play, this.slider, element("label", { class: "tick" }, this.shared, "one scale")),
      this.words,
      this.tiles.node,
      element("div", { class: "then" }, element("div", {}, element("h3", {}, "Prediction for your digit"), prediction), element("div", {}, element("h3", {}, "Confusions"), this.confusion)),
    );
  }

  async #load() {
    try {
      await this.past.load();
    } catch {
      return; // the next check repeats the request
    }
    if (this.isClosed) return;
    const last = this.past.steps.length - 1;
    if (last < 0) return this.#showLast();
    this.slider.disabled = this.play.disabled = last < 1;
    this.slider.max = last;
    if (this.isLive) this.slider.value = last;
    else if (query().has("step")) this.slider.value = this.#placeOf(Number(query().get("step")));
    this.#draw();
  }

  #placeOf(step) {
    const later = this.past.steps.findIndex((each) => each >= step);
    return later < 0 ? this.past.steps.length - 1 : later;
  }

  // At the newest check the page follows the run; at any other the address holds the step.
  #travel(place) {
    this.slider.value = place;
    this.isLive = place === this.past.steps.length - 1;
    setParameters({ step: this.isLive ? null : this.past.steps[place] });
    this.#draw();
  }

  #draw() {
    if (!this.past.steps.length) return;
    this.place = Number(this.slider.value);
    const step = this.past.steps[this.place];
    const check = this.curves.checks.get(step);
    const found = check ? `: validation loss ${check.validation_loss.toFixed(4)}, accuracy ${percent(check.validation_accuracy)}` : "";
    this.words.textContent = `${this.isLive && !this.job.finished_at ? "Now, after" : "After"} step ${number(step)}${check ? ` in epoch ${number(check.epoch)}` : ""}${found}.`;
    this.curves.markPast(this.isLive ? null : step);
    this.slider.setAttribute("aria-valuetext", `step ${step}`);
    this.tiles.show(planesOf(this.past.at(this.place)), { isShared: this.shared.checked });
    this.#predict();
    this.counting.run();
  }

  #take({ pixels, isDrawn }) {
    this.pixels = pixels;
    drawGrey(this.digit, pixels);
    this.source.replaceChildren(
      isDrawn ? "Your last drawing. " : "A test image. ",
      element("a", { href: address({ view: "draw" }) }, isDrawn ? "Draw another" : "Draw one of your own"),
    );
    this.#predict();
  }

  #predict() {
    if (!this.pixels || this.place === undefined) return;
    const probabilities = this.past.probabilities(this.place, this.pixels, this.classes);
    const best = this.classes.reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
    showBars(this.bars, probabilities, best, this.nameOf);
  }

  async #count() {
    const step = this.past.steps[this.place];
    if (step === this.counted) return;
    try {
      const found = await get(`/jobs/${this.job.id}/snapshots/${step}/confusion`);
      this.counted = step;
      if (!this.isClosed) this.confusion.replaceChildren(matrix(found, this.nameOf));
    } catch (problem) {
      // The server thins a long run. Live, the next check repeats the request; in the past, the kept snapshots are fetched again.
      if (problem.status !== 404 || this.isLive || this.isClosed) return;
      this.past.isThinned = true;
      this.loading.run();
    }
  }

  // Some runs have no snapshots but the last weights.
  #showLast() {
    if (!this.job.finished_at || !this.job.metrics.latest) return;
    const alt = "The weights, one picture for each digit: red where ink counts for it, blue where it counts against it";
    const image = picture(`/jobs/${this.job.id}/weights.png?scale=per_tile&upscale=4`, { class: "weights", alt });
    this.node.replaceChildren(element("h2", {}, "Weights at each check"), element("div", { class: "frame", tabindex: "0", role: "region", "aria-label": "Weights" }, image));
  }

  #playOrStop() {
    if (this.player) return this.#stop();
    if (this.isLive) this.#travel(0);
    this.play.textContent = "Stop";
    this.player = setInterval(() => {
      this.#travel(Number(this.slider.value) + 1);
      if (this.isLive) this.#stop();
    }, PLAY_MS);
  }

  #stop() {
    clearInterval(this.player);
    this.player = null;
    this.play.textContent = "Play";
  }
}

// Live charts: a uPlot each, in the page's own colours, as wide as there is room.

import { element } from "./element.js";

const HEIGHT = 230;
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Chart {
  // series: [{label, colour: the name of a CSS variable, width, points}], drawn over steps.
  constructor(title, series, { percent = false } = {}) {
    this.series = series;
    this.percent = percent;
    this.data = [[], ...series.map(() => [])];
    this.frame = element("div", { class: "chart" });
    this.words = element("p", { class: "visually-hidden" });
    this.node = element("figure", { class: "card chart-card" }, element("figcaption", {}, title), this.frame, this.words);
    this.observer = new ResizeObserver(() => this.#fit());
    this.observer.observe(this.frame);
    this.repaint = () => this.#make();
    dark.addEventListener("change", this.repaint);
  }

  // data: steps, then the values of each series, null where it has none.
  show(data, words) {
    this.data = data;
    this.words.textContent = words;
    this.node.dataset.points = data[0].length;
    if (this.plot) this.plot.setData(data);
    else this.#make();
  }

  close() {
    dark.removeEventListener("change", this.repaint);
    this.observer.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  #fit() {
    const width = this.frame.clientWidth;
    if (this.plot && width && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  #make() {
    if (!this.frame.isConnected || !this.frame.clientWidth) return;
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = "12px system-ui, sans-serif";
    const axis = { stroke: colour("faint"), font, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const shown = this.percent ? (value) => `${(100 * value).toFixed(1)} %` : (value) => value.toFixed(4);
    const step = (value) => value.toLocaleString("en");
    const options = {
      width: this.frame.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false } },
      axes: [
        { ...axis, size: 30, values: (_, values) => values.map(step) },
        { ...axis, size: 56, values: (_, values) => values.map((value) => (this.percent ? `${+(100 * value).toFixed(1)} %` : value)) },
      ],
      series: [
        { label: "step", value: (_, value) => (value === null ? "–" : step(value)) },
        ...this.series.map((each) => ({
          label: each.label,
          stroke: colour(each.colour),
          width: each.width ?? 2,
          spanGaps: true,
          points: { show: false },
          value: (_, value) => (value === null || value === undefined ? "–" : shown(value)),
        })),
      ],
    };
    this.plot = new window.uPlot(options, this.data, this.frame);
  }
}

// Live charts: a uPlot each, in the page's own colours, as wide as the page.

import { element } from "./element.js";

// Fetched with the first chart. It is a script, not a module.
await new Promise((resolve, reject) => {
  document.head.append(element("script", { src: "/static/uplot/uPlot.iife.min.js", onload: resolve, onerror: reject }));
});

const HEIGHT = 240;

const percentOf = (value) => `${(100 * value).toFixed(1)} %`;

export class Chart {
  // series: [{label, colour: the name of a CSS variable, width, points, dash}], drawn over x.
  // percent: y is a fraction. share: x is one, too, instead of a step. sync: charts of one name move their cursors together.
  constructor(title, series, { percent = false, share = false, sync = null } = {}) {
    this.series = series;
    this.percent = percent;
    this.share = share;
    this.sync = sync;
    this.data = [[], ...series.map(() => [])];
    this.marks = [];
    this.frame = element("div", { class: "chart" });
    this.words = element("p", { class: "visually-hidden" });
    this.node = element("figure", { class: "card chart-card" }, element("figcaption", {}, title), this.frame, this.words);
    this.observer = new ResizeObserver(() => this.#fit());
    this.observer.observe(this.frame);
  }

  // data: x, then the values of each series, null where there is none.
  show(data, words) {
    this.data = data;
    this.words.textContent = words;
    this.node.dataset.points = data[0].length;
    if (this.plot) this.plot.setData(data);
    else this.#make();
  }

  // Upright lines, drawn with the data that is shown next: [{x, label}].
  mark(marks) {
    this.marks = marks;
  }

  close() {
    this.observer.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  #fit() {
    const width = this.frame.clientWidth;
    if (!this.plot) this.#make();
    else if (width && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  #make() {
    if (!this.frame.isConnected || !this.frame.clientWidth || !this.data[0].length) return;
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = { stroke: this.colour("faint"), font: "12px system-ui, sans-serif", grid: { stroke: this.colour("line"), width: 1 }, ticks: { show: false } };
    const short = (value) => `${+(100 * value).toFixed(1)} %`;
    const step = this.share ? short : (value) => value.toLocaleString("en");
    const options = {
      width: this.frame.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: true, y: false }, ...(this.sync ? { sync: { key: this.sync } } : {}) },
      scales: { x: { time: false } },
      axes: [
        { ...axis, size: 30, values: (_, values) => values.map(step) },
        { ...axis, size: 56, values: (_, values) => values.map((value) => (this.percent ? short(value) : value)) },
      ],
      series: [
        { label: this.share ? "probability" : "step", value: (_, value) => (value === null ? "–" : step(value)) },
        ...this.series.map((each) => this.#line(each)),
      ],
      hooks: { draw: [(plot) => this.#drawMarks(plot)] },
    };
    this.plot = new window.uPlot(options, this.data, this.frame);
  }

  #line({ label, colour, width = 2, points = false, dash }) {
    const shown = this.percent ? percentOf : (value) => value.toFixed(4);
    const stroke = this.colour(colour);
    return {
      label,
      stroke,
      width,
      dash,
      spanGaps: true,
      points: points ? { show: true, size: 8, fill: stroke } : { show: false },
      value: (_, value) => (value === null || value === undefined ? "–" : shown(value)),
    };
  }

  #drawMarks(plot) {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = this.colour("faint");
    ctx.lineWidth = ratio;
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    this.marks.forEach(({ x, label }, i) => {
      const at = plot.valToPos(x, "x", true);
      if (at < bbox.left || at > bbox.left + bbox.width) return;
      const isLate = at > bbox.left + bbox.width / 2;
      ctx.setLineDash([4 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(at, bbox.top);
      ctx.lineTo(at, bbox.top + bbox.height);
      ctx.stroke();
      ctx.textAlign = isLate ? "right" : "left";
      ctx.fillText(label, at + (isLate ? -6 : 6) * ratio, this.percent ? bbox.top + bbox.height - (6 + 16 * i) * ratio : bbox.top + (14 + 16 * i) * ratio);
    });
    ctx.restore();
  }
}

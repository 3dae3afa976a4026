// Live charts: a uPlot each, in the page's own colours, as wide as the page.

import { shortened } from "../format.js";
import { html, useEffect, useLayoutEffect, useRef } from "../html.js";

// Fetched with the first chart. It is a script, not a module.
await new Promise((resolve, reject) => {
  document.head.append(Object.assign(document.createElement("script"), { src: "/static/uplot/uPlot.iife.min.js", onload: resolve, onerror: reject }));
});

const uPlot = /** @type {any} */ (window).uPlot;
const HEIGHT = 240;
const LINE_HEIGHT = 15; // between labels
const LABEL_CHARS = 18; // of a label at most
const FONT = "12px Inter, system-ui, sans-serif";

const percentOf = (value) => `${(100 * value).toFixed(1)} %`;
const shortPercent = (value) => `${+(100 * value).toFixed(1)} %`;

// The rows of several series over the union of their x, null where one has no value.
export const join = (tables) => uPlot.join(tables);

// series: [{label, colour: the name of a CSS variable, width, points, dash}], drawn over x. data: x, then the values of each series.
// marks: upright lines [{x, label}]. shade: [from, to] of x, or null. words: the chart in a sentence, for those who cannot see it; of an empty one, why it is.
// percent: y is a fraction. share: x is one, too, instead of a step. sync: charts of one name move their cursors together.
export function Chart({ title, series, data, words, marks = [], shade = null, percent = false, share = false, log = false, sync = null, children }) {
  const frame = useRef(null);
  const plot = useRef(null);
  const shown = useRef(null);
  shown.current = { data, marks, shade };
  const isEmpty = !data?.[0].length;

  const make = () => {
    if (plot.current || isEmpty || !frame.current?.clientWidth) return;
    plot.current = plotOf(frame.current, series, shown, { percent, share, log, sync });
  };
  useLayoutEffect(() => {
    make();
    return () => {
      plot.current?.destroy();
      plot.current = null;
    };
  }, [series.map(({ label, colour }) => label + colour).join(), isEmpty, log]);
  useLayoutEffect(() => {
    if (!isEmpty) plot.current?.setData(data);
  });
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const width = frame.current?.clientWidth;
      make();
      if (width && plot.current && width !== plot.current.width) plot.current.setSize({ width, height: HEIGHT });
    });
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, [isEmpty]);
  return html`<figure class="card chart-card" data-points=${data?.[0].length ?? 0}>
    <figcaption>${title}${share ? "" : html` <span class="hint">over steps</span>`}</figcaption>
    <p class=${isEmpty ? "hint" : "visually-hidden"}>${words}</p>
    <div class="chart" ref=${frame}></div>
    ${children}
  </figure>`;
}

function plotOf(frame, series, shown, { percent, share, log, sync }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour("faint"), font: FONT, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const step = share ? shortPercent : (value) => value.toLocaleString("en");
  const value = percent ? percentOf : (each) => each.toFixed(4);
  const line = ({ label, colour: name, width = 2, points = false, dash }) => ({
    label,
    stroke: colour(name),
    width,
    dash,
    spanGaps: true,
    points: { show: (plot) => points || plot.data[0].length === 1, size: 8, fill: colour(name) },
    value: (_, each) => (each === null || each === undefined ? "–" : value(each)),
  });
  const values = frame.appendChild(document.createElement("div"));
  values.className = "at-cursor";
  const room = Math.max(...series.map(({ label }) => textWidth(shortened(label, LABEL_CHARS)))) + 10;
  const options = {
    width: frame.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, room, 0, 0],
    cursor: { drag: { x: true, y: false }, ...(sync ? { sync: { key: sync } } : {}) },
    scales: { x: { time: false }, y: log ? { distr: 3 } : { range: (_, low, high) => rangeOf(shown.current.data, low, high, percent) } },
    axes: [
      { ...axis, size: 30, values: (_, values) => values.map(step) },
      { ...axis, size: 56, values: (_, values) => values.map((each) => (each === null ? null : percent ? shortPercent(each) : each)) },
    ],
    series: [{ label: share ? "probability" : "step", value: (_, each) => (each === null ? "–" : step(each)) }, ...series.map(line)],
    hooks: {
      drawClear: [(plot) => drawShade(plot, shown.current.shade, colour("soft"))],
      draw: [(plot) => drawMarks(plot, shown.current.marks, colour("faint"), percent), drawLabels],
      setCursor: [(plot) => showValues(plot, values)],
      destroy: [() => values.remove()],
    },
  };
  return new uPlot(options, shown.current.data, frame);
}

function textWidth(text) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = FONT;
  return Math.ceil(context.measureText(text).width);
}

// The name of each curve at its end; names that would touch are moved apart.
function drawLabels({ ctx, bbox, data, series, valToPos }) {
  const ratio = devicePixelRatio;
  const least = LINE_HEIGHT * ratio;
  const bottom = bbox.top + bbox.height;
  const inside = (y) => Math.min(bottom, Math.max(bbox.top, y));
  const labels = series.slice(1).flatMap((line, i) => {
    const last = data[i + 1].findLast((value) => value !== null && value !== undefined);
    return last === undefined ? [] : [{ text: shortened(line.label, LABEL_CHARS), colour: line.stroke(), y: inside(valToPos(last, "y", true)) }];
  });
  labels.sort((a, b) => a.y - b.y);
  labels.forEach((label, i) => (label.y = Math.max(label.y, i ? labels[i - 1].y + least : bbox.top)));
  labels.reverse().forEach((label, i) => (label.y = Math.min(label.y, i ? labels[i - 1].y - least : bottom)));
  ctx.save();
  ctx.font = FONT.replace("12", String(12 * ratio));
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const { text, colour, y } of labels) {
    ctx.fillStyle = colour;
    ctx.fillText(text, bbox.left + bbox.width + 6 * ratio, y);
  }
  ctx.restore();
}

// The values under the cursor, in a box beside it; `values` is that box.
function showValues(plot, values) {
  const { idx, left } = plot.cursor;
  values.hidden = idx === null || left < 0;
  if (values.hidden) return;
  const newest = (data) => data.slice(0, idx + 1).findLast((value) => value !== null && value !== undefined); // not every step has a check
  const line = ({ label, value }, i) => `${label}  ${value(plot, newest(plot.data[i]))}`;
  values.textContent = plot.series.map(line).join("\n");
  const isLate = left > plot.bbox.width / devicePixelRatio / 2;
  const start = plot.bbox.left / devicePixelRatio + left;
  values.style.left = isLate ? "" : `${start + 12}px`;
  values.style.right = isLate ? `${plot.width - start + 12}px` : "";
}

// The range that shows the course of the curves: the first steps, far above all others, may be off the scale.
/** @param {any[][]} data @param {number} low @param {number} high @param {boolean} percent */
function rangeOf([x, ...series], low, high, percent) {
  if (low === null) return [0, 1];
  let top = high;
  let bottom = low;
  if (x.length > 20) {
    const later = series.flatMap((values) => values.slice(Math.ceil(x.length / 20))).filter((value) => value !== null && value !== undefined);
    const [least, most] = later.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
    const room = 0.6 * (most - least);
    if (!percent) top = Math.min(high, most + room);
    else bottom = Math.max(low, least - room);
  }
  const margin = 0.05 * (top - bottom || 1);
  return [bottom - margin, top + margin];
}

function drawShade({ ctx, bbox, valToPos }, shade, colour) {
  if (!shade) return;
  const [from, to] = shade.map((x) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, valToPos(x, "x", true))));
  ctx.save();
  ctx.fillStyle = colour;
  ctx.fillRect(from, bbox.top, to - from, bbox.height);
  ctx.restore();
}

function drawMarks(plot, marks, colour, percent) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = ratio;
  ctx.font = FONT.replace("12", String(12 * ratio));
  marks.forEach(({ x, label }, i) => {
    const at = plot.valToPos(x, "x", true);
    if (at < bbox.left || at > bbox.left + bbox.width) return;
    const isLate = at > bbox.left + bbox.width / 2;
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(at, bbox.top);
    ctx.lineTo(at, bbox.top + bbox.height);
    ctx.stroke();
    ctx.textAlign = isLate ? "right" : "left";
    ctx.fillText(label, at + (isLate ? -6 : 6) * ratio, percent ? bbox.top + bbox.height - (6 + 16 * i) * ratio : bbox.top + (14 + 16 * i) * ratio);
  });
  ctx.restore();
}

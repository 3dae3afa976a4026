// A picture for each class or unit, side by side: weights, differences of weights, or contributions.

import { html, useState } from "../html.js";
import { largestOf, pixelAt } from "../pixels.js";
import { Shares } from "./canvas.js";

// The weights of each class without the bias, one a pixel; with one output there is one set, and its opposite.
export function planesOf({ rows, columns, values }) {
  const plane = (column, sign) => Float64Array.from({ length: rows - 1 }, (_, row) => sign * values[row * columns + column]);
  if (columns === 1) return [plane(0, 1), plane(0, -1)];
  return Array.from({ length: columns }, (_, column) => plane(column, 1));
}

// names: the title of each tile. planes: a number a pixel for each, or null: words alone. what: the kind of the numbers.
// isShared: one scale for all. ink: its edge is drawn over them. words: below each. best: the place of the emphasised one.
// choose(place): called when a tile is clicked, if given.
export function Tiles({ names, planes, what = "weight", isShared = false, ink = null, words = [], best = null, choose, ...attributes }) {
  const [pointed, setPointed] = useState(null);
  const largest = isShared && planes ? Math.max(...planes.map(largestOf)) : undefined;
  const picture = (name, i) => {
    const role = choose ? { "aria-hidden": "true" } : { role: "img", "aria-label": `${name}: ${what} of each pixel` };
    const point = (event) => setPointed({ i, ...pixelAt(event.currentTarget, event) });
    return html`<${Shares} values=${planes[i]} largest=${largest} ink=${ink} ...${role} onPointerMove=${point} />`;
  };
  const tile = (name, i) => {
    const inside = html`<span class="digit">${name}</span>${planes && picture(name, i)}<span class="hint">${words[i] ?? ""}</span>`;
    const kind = `tile ${i === best ? "best" : ""}`;
    if (!choose) return html`<div key=${i} class=${kind} title=${name}>${inside}</div>`;
    return html`<button key=${i} type="button" class=${kind} title=${`Why ${name}?`} onClick=${() => choose(i)}>${inside}</button>`;
  };
  const value = pointed && planes?.[pointed.i]?.[pointed.place];
  const told = value === null || value === undefined
    ? `Point at a pixel to see its ${what}.`
    : `${names[pointed.i]}, row ${pointed.row}, column ${pointed.column}: ${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;
  return html`<div class="tiles-frame" ...${attributes}>
    <div class="tiles">${names.map(tile)}</div>
    ${planes && html`<p class="hint pointed">${told}</p>`}
  </div>`;
}

// A picture for each class or unit, side by side: weights, differences of weights, or contributions.

import { html, useMemo, useState } from "../html.js";
import { largestOf, pixelAt, SIDE } from "../pixels.js";
import { moved, MOVES } from "./arrows.js";
import { Shares } from "./canvas.js";

const MOST_UNITS = 40;

// The weights of each class without the bias, one a pixel; with one output there is one set, and its opposite.
export function planesOf({ rows, columns, values }) {
  const plane = (column, sign) => Float64Array.from({ length: rows - 1 }, (_, row) => sign * values[row * columns + column]);
  if (columns === 1) return [plane(0, 1), plane(0, -1)];
  return Array.from({ length: columns }, (_, column) => plane(column, 1));
}

// The weights that lead from the pixels to each class, or to the first units of a network, or others of their shape.
export function LayerTiles({ matrix, config: { classes, hidden_layers: hidden }, nameOf, ...attributes }) {
  const planes = useMemo(() => planesOf(matrix).slice(0, MOST_UNITS), [matrix.values]);
  const names = hidden?.length ? planes.map((_, i) => `unit ${i + 1}`) : classes.map(nameOf);
  const n = matrix.columns;
  return html`
    ${hidden?.length > 0 && html`<p class="hint">${n > MOST_UNITS ? `The first ${MOST_UNITS} of ${n}` : `The ${n}`} units of the first layer.</p>`}
    <${Tiles} names=${names} planes=${planes} ...${attributes} />
  `;
}

// A pixel is read by pointing at it, or by keys: arrows move over the tiles as over one picture.
// names: the title of each tile. planes: a number a pixel for each, or null: words alone. what: the kind of the numbers.
// isShared: one scale for all. ink: its edge is drawn over them. words: below each. best: the place of the emphasised one.
// choose(place): called when a tile is clicked, if given.
export function Tiles({ names, planes, what = "weight", isShared = false, ink = null, words = [], best = null, choose, ...attributes }) {
  const [pointed, setPointed] = useState(null); // {i, row, column}
  const largest = isShared && planes ? Math.max(...planes.map(largestOf)) : undefined;
  const picture = (name, i) => {
    const role = choose ? { "aria-hidden": "true" } : { role: "img", "aria-label": `${name}: ${what} of each pixel` };
    const point = (event) => setPointed({ i, ...pixelAt(event.currentTarget, event) });
    const at = pointed?.i === i && { left: `${(100 * pointed.column) / SIDE}%`, top: `${(100 * pointed.row) / SIDE}%` };
    return html`<span class="pixels"><${Shares} values=${planes[i]} largest=${largest} ink=${ink} ...${role} onPointerMove=${point} />${at && html`<i style=${at}></i>`}</span>`;
  };
  const tile = (name, i) => {
    const inside = html`<span class="digit">${name}</span>${planes && picture(name, i)}<span class="hint">${words[i] ?? ""}</span>`;
    const kind = `tile ${i === best ? "best" : ""}`;
    if (!choose) return html`<div key=${i} class=${kind} title=${name}>${inside}</div>`;
    return html`<button key=${i} type="button" class=${kind} title=${`Why ${name}?`} onClick=${() => choose(i)}>${inside}</button>`;
  };
  const value = pointed && planes?.[pointed.i]?.[pointed.row * SIDE + pointed.column];
  const told = value === null || value === undefined
    ? `Point at a pixel to see its ${what}.`
    : `${names[pointed.i]}, row ${pointed.row}, column ${pointed.column}: ${value < 0 ? "−" : "+"}${short(Math.abs(value))}`;
  const move = (event) => {
    if (!MOVES[event.key]) return;
    event.preventDefault();
    setPointed(pointed ? moved(pointed, MOVES[event.key], names.length) : { i: 0, row: SIDE / 2, column: SIDE / 2 });
  };
  const keys = planes && !choose ? { tabindex: 0, role: "group", "aria-label": `The ${what} of each pixel: arrows move`, onKeyDown: move } : {};
  return html`<div class="tiles-frame" ...${attributes}>
    <div class="tiles" ...${keys}>${names.map(tile)}</div>
    ${planes && html`<p class="hint pointed" aria-live="polite">${told}</p>`}
  </div>`;
}

const short = (value) => (value === 0 || value >= 0.01 ? value.toFixed(4) : value.toPrecision(3));

// A picture for each digit, side by side: weights, differences of weights, or contributions.

import { element } from "./element.js";
import { clearPicture, drawShares, enlarge, largestOf, outline, pixelAt } from "./pixels.js";

const SCALE = 4;

// The weights of each class without the bias, one a pixel; with one output there is one set, and its opposite.
export function planesOf({ rows, columns, values }) {
  const plane = (column, sign) => Float64Array.from({ length: rows - 1 }, (_, row) => sign * values[row * columns + column]);
  if (columns === 1) return [plane(0, 1), plane(0, -1)];
  return Array.from({ length: columns }, (_, column) => plane(column, 1));
}

export class Tiles {
  // what: the kind of the numbers, for screen readers. nameOf(label): the title of its tile.
  // choose(label): called when a tile is clicked, if given.
  constructor(labels, what, { nameOf = String, choose } = {}) {
    this.what = what;
    this.tiles = labels.map((label) => this.#tile(nameOf(label), choose && (() => choose(String(label)))));
    this.pointed = element("p", { class: "hint pointed" }, `Point at a pixel to see its ${what}.`);
    this.node = element("div", { class: "tiles-frame" }, element("div", { class: "tiles" }, this.tiles.map(({ node }) => node)), this.pointed);
  }

  // planes: a number a pixel for each label. isShared: one scale for all. pixels: ink to outline. words: below each tile.
  show(planes, { isShared = false, pixels = null, words = [], best = null } = {}) {
    this.planes = planes;
    const largest = isShared ? Math.max(...planes.map(largestOf)) : null;
    planes.forEach((plane, i) => {
      const { canvas, node, caption } = this.tiles[i];
      drawShares(canvas, plane, largest ?? largestOf(plane));
      if (pixels) {
        enlarge(canvas, SCALE);
        outline(canvas, pixels);
      }
      caption.textContent = words[i] ?? "";
      node.classList.toggle("best", i === best);
    });
  }

  // Words alone, where no picture belongs to a label.
  showWords(words, best) {
    this.clear();
    this.tiles.forEach(({ canvas, node, caption }, i) => {
      canvas.hidden = true;
      caption.textContent = words[i];
      node.classList.toggle("best", i === best);
    });
    this.pointed.hidden = true;
  }

  clear() {
    this.planes = null;
    for (const { canvas } of this.tiles) clearPicture(canvas);
  }

  #tile(label, choose) {
    const described = choose ? { "aria-hidden": "true" } : { role: "img", "aria-label": `${label}: ${this.what} of each pixel` };
    const canvas = element("canvas", { width: 28, height: 28, ...described });
    const caption = element("span", { class: "hint" });
    const parts = [element("span", { class: "digit" }, label), canvas, caption];
    const node = choose
      ? element("button", { type: "button", class: "tile", title: `Why ${label}?`, onclick: choose }, parts)
      : element("div", { class: "tile", title: label }, parts);
    const tile = { canvas, node, caption, label };
    canvas.addEventListener("pointermove", (event) => this.#point(tile, event));
    return tile;
  }

  #point(tile, event) {
    if (!this.planes) return;
    const { row, column, place } = pixelAt(tile.canvas, event);
    const value = this.planes[this.tiles.indexOf(tile)][place];
    this.pointed.textContent = `${tile.label}, row ${row}, column ${column}: ${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;
  }
}

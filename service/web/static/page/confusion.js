// The confusion matrix: images by true and predicted class; a cell can open its images.

import { get, versionPath } from "./api.js";
import { element } from "./element.js";
import { number } from "./estimate.js";
import { gallery } from "./gallery.js";

const SHOWN = 48;

// nameOf(label): the name of a class.
// choose(button, label, predicted): called when a cell is clicked; without it the cells are not buttons.
export function matrix({ classes, confusion }, nameOf, choose) {
  const most = Math.max(1, ...confusion.flatMap((row, i) => row.filter((_, k) => k !== i)));
  const head = element("tr", {}, element("th", { scope: "col" }, "true ↓ predicted →"), classes.map((label) => element("th", { scope: "col" }, nameOf(label))));
  const rows = confusion.map((row, i) =>
    element("tr", {}, element("th", { scope: "row" }, nameOf(classes[i])), row.map((count, k) => cell(classes[i], classes[k], count, most, nameOf, choose))),
  );
  const caption = element("caption", { class: "visually-hidden" }, "Number of images by true and predicted class");
  const made = element("table", { class: "confusion" }, caption, element("thead", {}, head), element("tbody", {}, rows));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Confusion matrix" }, made);
}

function cell(label, predicted, count, most, nameOf, choose) {
  if (!count) return element("td", {}, element("span", {}, "·"));
  const words = `${imagesOf(count)} of ${nameOf(label)} classified as ${nameOf(predicted)}`;
  const inner = choose
    ? element("button", { type: "button", class: "count", "aria-label": words, title: words }, number(count))
    : element("span", { class: "count", title: words }, number(count));
  if (choose) inner.addEventListener("click", () => choose(inner, label, predicted));
  if (label !== predicted) inner.style.setProperty("--depth", `${Math.round(8 + 42 * Math.sqrt(count / most))}%`);
  return element("td", { class: label === predicted ? "right" : "wrong" }, inner);
}

export class Confusion {
  constructor(name, version, found, nameOf) {
    this.nameOf = nameOf;
    this.name = name;
    this.version = version;
    this.images = element("div", { class: "cell-images", role: "status" }, element("p", { class: "hint" }, "Click a number to see its images."));
    this.node = element("div", { class: "confusing" }, matrix(found, nameOf, (...cell) => this.#open(...cell)), this.images);
  }

  async #open(button, label, predicted) {
    this.chosen?.removeAttribute("aria-pressed");
    this.chosen = button;
    button.setAttribute("aria-pressed", "true");
    try {
      const query = new URLSearchParams({ true: label, predicted, limit: SHOWN });
      const found = await get(`${versionPath(this.name, this.version)}/evaluation/images?${query}`);
      if (this.chosen !== button) return;
      const few = found.n_images > SHOWN ? ` The ${SHOWN} with the highest loss:` : "";
      const words = `${imagesOf(found.n_images)} of ${this.nameOf(label)} classified as ${this.nameOf(predicted)}.${few}`;
      this.images.replaceChildren(element("p", {}, words), gallery(found.images, found.dataset, this.name, this.version, this.nameOf));
    } catch (problem) {
      this.images.replaceChildren(element("p", { class: "error" }, problem.message));
    }
  }
}

const imagesOf = (n) => `${number(n)} image${n === 1 ? "" : "s"}`;

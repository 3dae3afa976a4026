// The confusion matrix: which digits are taken for which; a cell opens the images in it.

import { get, versionPath } from "./api.js";
import { element } from "./element.js";
import { number } from "./estimate.js";
import { gallery } from "./gallery.js";

const SHOWN = 48;

export class Confusion {
  constructor(name, version, { classes, confusion }) {
    this.name = name;
    this.version = version;
    this.images = element("div", { class: "cell-images", role: "status" }, element("p", { class: "hint" }, "Choose a cell to see the images in it."));
    const mistakes = confusion.flatMap((row, i) => row.filter((_, k) => k !== i));
    const most = Math.max(1, ...mistakes);
    const head = element("tr", {}, element("th", { scope: "col" }, "is ↓ read as →"), classes.map((label) => element("th", { scope: "col" }, String(label))));
    const rows = confusion.map((row, i) =>
      element("tr", {}, element("th", { scope: "row" }, String(classes[i])), row.map((count, k) => this.#cell(classes[i], classes[k], count, most))),
    );
    const caption = element("caption", { class: "visually-hidden" }, "How many images of each digit were read as each digit");
    const matrix = element("table", { class: "confusion" }, caption, element("thead", {}, head), element("tbody", {}, rows));
    this.node = element(
      "div",
      { class: "confusing" },
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Confusion matrix" }, matrix),
      this.images,
    );
  }

  #cell(label, predicted, count, most) {
    const isRight = label === predicted;
    if (!count) return element("td", {}, element("span", {}, "·"));
    const words = `${imagesOf(count)} of ${label} read as ${predicted}`;
    const button = element("button", { type: "button", "aria-label": words, title: words, onclick: () => this.#open(button, label, predicted) }, number(count));
    const cell = element("td", { class: isRight ? "right" : "wrong" }, button);
    if (!isRight) button.style.setProperty("--depth", `${Math.round(8 + 42 * Math.sqrt(count / most))}%`);
    return cell;
  }

  async #open(button, label, predicted) {
    this.chosen?.removeAttribute("aria-pressed");
    this.chosen = button;
    button.setAttribute("aria-pressed", "true");
    try {
      const query = new URLSearchParams({ true: label, predicted, limit: SHOWN });
      const found = await get(`${versionPath(this.name, this.version)}/evaluation/images?${query}`);
      if (this.chosen !== button) return;
      const few = found.n_images > SHOWN ? ` The ${SHOWN} of the highest loss:` : "";
      const words = `${imagesOf(found.n_images)} of ${label} read as ${predicted}.${few}`;
      this.images.replaceChildren(element("p", {}, words), gallery(found.images, found.dataset, this.name, this.version));
    } catch (problem) {
      this.images.replaceChildren(element("p", { class: "error" }, problem.message));
    }
  }
}

const imagesOf = (n) => `${number(n)} image${n === 1 ? "" : "s"}`;

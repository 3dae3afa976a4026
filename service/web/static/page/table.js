// Rows of text and links under headings, which a narrow screen can scroll.

import { element } from "./element.js";

export function table(caption, headings, rows) {
  const head = element("thead", {}, element("tr", {}, headings.map((heading) => element("th", { scope: "col" }, heading))));
  const body = element("tbody", {}, rows.map((cells) => element("tr", {}, cells.map((cell) => element("td", {}, cell)))));
  const made = element("table", { class: "list" }, element("caption", { class: "visually-hidden" }, caption), head, body);
  return element("div", { class: "scroll card", tabindex: "0", role: "region", "aria-label": caption }, made);
}

export const badge = (state) => element("span", { class: `badge ${state}` }, state);

// A time in words.
export const moment = (text) => new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

// Checkboxes in the rows of a table, and a link to compare the chosen ones.
export class Picks {
  constructor() {
    this.chosen = new Set();
    this.link = element("a", { class: "button main", hidden: true });
  }

  // address(parts): the address that compares the chosen parts.
  box(part, label, address) {
    const input = element("input", { type: "checkbox", "aria-label": `Compare ${label}`, checked: this.chosen.has(part) });
    input.addEventListener("change", () => {
      if (input.checked) this.chosen.add(part);
      else this.chosen.delete(part);
      this.link.hidden = this.chosen.size < 2;
      this.link.textContent = `Compare these ${this.chosen.size}`;
      this.link.href = address([...this.chosen]);
    });
    return input;
  }
}

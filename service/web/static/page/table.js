// Rows of text and links under headings, which a narrow screen can scroll.

import { element } from "./element.js";

export function table(caption, headings, rows) {
  const head = element("thead", {}, element("tr", {}, headings.map((heading) => element("th", { scope: "col" }, heading))));
  const body = element("tbody", {}, rows.map((cells) => element("tr", {}, cells.map((cell) => element("td", {}, cell)))));
  const made = element("table", { class: "list" }, element("caption", { class: "visually-hidden" }, caption), head, body);
  return element("div", { class: "scroll card", tabindex: "0", role: "region", "aria-label": caption }, made);
}

export const badge = (state) => element("span", { class: `badge ${state}` }, state);

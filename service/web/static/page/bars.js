// Probabilities as bars, one a class.

import { element } from "./element.js";

export const percent = (fraction) => `${(100 * fraction).toFixed(fraction > 0.9995 || fraction < 0.0005 ? 0 : 1)}\u00a0%`;

export function showBars(list, probabilities, digit, nameOf = String) {
  const classes = Object.keys(probabilities);
  const names = classes.map(nameOf);
  if (list.dataset.classes !== names.join()) {
    list.dataset.classes = names.join();
    list.replaceChildren(...names.map(row));
  }
  classes.forEach((label, i) => {
    const item = list.children[i];
    const fraction = probabilities[label];
    item.classList.toggle("best", Number(label) === digit);
    item.querySelector(".fill").style.transform = `scaleX(${fraction})`;
    item.querySelector(".value").textContent = digit === null ? "" : percent(fraction);
  });
}

function row(label) {
  return element(
    "li",
    {},
    element("span", { class: "digit" }, label),
    element("span", { class: "track", "aria-hidden": "true" }, element("span", { class: "fill" })),
    element("span", { class: "value" }),
  );
}

// Inside a version of a model: how well it does, which digits it confuses, and the images it finds hardest.

import { get } from "./api.js";
import { percent } from "./bars.js";
import { element } from "./element.js";
import { number } from "./estimate.js";
import { table } from "./table.js";

const HARDEST = 12;

export async function inside(name, version) {
  const path = `/models/${encodeURIComponent(name)}/versions/${version}`;
  const found = await get(`${path}/evaluation?hardest=${HARDEST}`);
  const said = `${percent(found.accuracy)} of ${number(found.n_images)} test images right, loss ${found.loss.toFixed(4)}.`;
  const rows = found.per_class.map((each) => [
    String(each.class), percent(each.precision), percent(each.recall), percent(each.f1), number(each.n_images),
  ]);
  const confusion = element("img", {
    class: "weights",
    src: `/api/v1${path}/confusion.png?width_px=720&height_px=640`,
    alt: `Confusion matrix of ${name}: how often each digit was read as each other. The table beside it has the same by digit.`,
  });
  return element(
    "div",
    { class: "inside" },
    element("p", {}, said),
    element("div", { class: "charts" }, confusion, table(`Digit by digit: ${name}`, ["Digit", "Precision", "Recall", "F1", "Images"], rows)),
    element("h3", {}, "Hardest test images"),
    element("ul", { class: "hardest" }, found.hardest.map((each) => hardest(each, found.dataset))),
  );
}

function hardest({ index, true: label, predicted }, dataset) {
  const src = `/api/v1/datasets/${dataset}/images/${index}.png?part=test&upscale=3`;
  const words = `a ${label}, read as ${predicted}`;
  const image = element("img", { src, width: "84", height: "84", alt: `Test image ${index}: ${words}` });
  return element("li", {}, image, element("span", { class: "hint" }, `${label} read as ${predicted}`));
}

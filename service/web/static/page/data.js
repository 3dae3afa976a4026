// Data sets: how many images of each digit, and the images themselves.

import { DATASET, get } from "./api.js";
import { byId, element, emptyState } from "./element.js";
import { number } from "./estimate.js";
import { namesOf } from "./names.js";
import { fileLink, picture } from "./picture.js";
import { showUpload } from "./upload.js";
import { address } from "./url.js";

const PAGE = 60;
const PARTS = ["training", "test"];

export async function showData(params) {
  const place = byId("dataset");
  showUpload();
  place.replaceChildren();
  try {
    const { datasets } = await get("/datasets");
    const dataset = datasets.find(({ name }) => name === (params.get("dataset") ?? DATASET));
    if (!dataset) throw new Error("There is no such data set.");
    const part = PARTS.includes(params.get("part")) ? params.get("part") : "training";
    const label = params.get("label");
    const query = new URLSearchParams({ part, limit: PAGE, ...(label ? { label } : {}), ...(params.has("after") ? { after: params.get("after") } : {}) });
    const found = await get(`/datasets/${encodeURIComponent(dataset.name)}/images?${query}`);
    const nameOf = namesOf(dataset);
    const here = { view: "data", dataset: dataset.name, part, ...(label ? { label } : {}) };
    place.replaceChildren(
      facts(dataset, nameOf, datasets, here),
      filters(dataset, nameOf, here),
      element("ul", { class: "gallery images" }, found.images.map((image) => shown(image, nameOf, dataset.name, part))),
      found.next === null ? "" : element("a", { class: "button", href: address({ ...here, after: found.next }) }, "More images"),
    );
  } catch (problem) {
    place.replaceChildren(emptyState(problem.message, "/?view=data", "See the data sets"));
  }
}

function facts({ name, title, source, licence, training, test, sha256 }, nameOf, datasets, here) {
  const others = datasets.filter((each) => datasets.length > 1 && each.name !== name);
  return element(
    "div",
    { class: "card" },
    element("h2", {}, title),
    element("p", {}, `${number(training.n_images)} training images and ${number(test.n_images)} test images of 28×28 grey levels. ${[source, licence].filter(Boolean).join(", ")}`),
    counts(here.part === "test" ? test : training, nameOf, here),
    element(
      "div",
      { class: "row" },
      element("a", { class: "button main", href: address({ view: "train", dataset: name }) }, "Train on it"),
      others.map((each) => element("a", { class: "chip", href: address({ view: "data", dataset: each.name }) }, each.title)),
      fileLink(`/datasets/${encodeURIComponent(name)}/contact-sheet.png?part=${here.part}&per_class=20`, "Contact sheet (.png)"),
    ),
    element("p", { class: "hint checksum" }, `SHA-256 ${sha256}`),
  );
}

// A bar for each class; a click shows its images.
function counts({ n_by_class: by }, nameOf, here) {
  const most = Math.max(...Object.values(by));
  const bars = Object.entries(by).map(([label, n]) => {
    const fill = element("span", { class: "fill" });
    fill.style.transform = `scaleX(${n / most})`;
    const link = element("a", { href: address({ ...here, label }) }, nameOf(label));
    return element(
      "li",
      { class: here.label === label ? "best" : "" },
      element("span", { class: "digit" }, link),
      element("span", { class: "track", "aria-hidden": "true" }, fill),
      element("span", { class: "value" }, number(n)),
    );
  });
  return element("ol", { class: "bars counts", "aria-label": `Images of each class in the ${here.part} part` }, bars);
}

function filters({ classes }, nameOf, here) {
  const { label, ...all } = here;
  const chip = (text, values, isHere) => element("a", { class: "chip", href: address(values), "aria-current": isHere ? "true" : null }, text);
  return element(
    "div",
    { class: "row filter", role: "group", "aria-label": "Which images" },
    PARTS.map((part) => chip(part, { ...here, part }, part === here.part)),
    chip("all classes", all, label === undefined),
    classes.map((each) => chip(nameOf(each), { ...here, label: each }, String(each) === label)),
  );
}

function shown({ index, label }, nameOf, dataset, part) {
  const path = `/datasets/${encodeURIComponent(dataset)}/images/${index}.png?part=${part}&upscale=3`;
  const image = picture(path, { width: 84, height: 84, alt: `${part} image ${index}: ${nameOf(label)}` });
  const why = address({ view: "draw", image: `${dataset}/${part}/${index}` });
  return element("li", {}, element("a", { href: why }, image, element("span", {}, nameOf(label)), element("span", { class: "hint" }, `no. ${number(index)}`)));
}

// A version of a model: its weights, its evaluation, its confusions, and the versions and aliases of the model.

import { get, versionPath } from "./api.js";
import { percent } from "./bars.js";
import { calibration } from "./calibration.js";
import { Confusion } from "./confusion.js";
import { byId, element, emptyState } from "./element.js";
import { number } from "./estimate.js";
import { gallery } from "./gallery.js";
import { namesOf } from "./names.js";
import { fileLink } from "./picture.js";
import { table } from "./table.js";
import { Tiles } from "./tiles.js";
import { address, hideParts, setTitle } from "./url.js";
import { versions } from "./versions.js";
import { classPlanes, unitsPicture } from "./weights_file.js";

const HARDEST = 24;

export function showModel(params) {
  const place = byId("inside");
  const [name, reference] = params.get("model").split("/");
  const opened = { parts: [], isLeft: false };
  place.replaceChildren();
  setTitle("model-page-title", name);
  show(place, name, reference, opened);
  return () => {
    opened.isLeft = true;
    for (const part of opened.parts) part.close();
  };
}

async function show(place, name, reference, opened) {
  try {
    const model = await get(`/models/${encodeURIComponent(name)}`);
    const version = reference ?? model.default?.version;
    const manifest = await get(versionPath(name, version));
    if (opened.isLeft) return;
    setTitle("model-page-title", `${name}, version ${manifest.version}`);
    const evaluation = element("div", {}, element("p", { class: "card", role: "status" }, "Evaluating on the test images …"));
    place.replaceChildren(head(manifest), weights(manifest), evaluation, versions(model, manifest));
    hideParts(place);
    const found = await get(`${versionPath(name, manifest.version)}/evaluation?hardest=${HARDEST}`);
    if (!opened.isLeft) evaluation.replaceChildren(...evaluated(manifest, found, opened));
  } catch (problem) {
    if (opened.isLeft) return;
    const text = problem.status === 404 ? "There is no such model or version." : problem.message;
    place.replaceChildren(emptyState(text, "/?view=models", "See all models"));
  }
}

function head({ name, version, config, job_id: job, job_exists: exists, metrics, published, aliases }) {
  const path = versionPath(name, version);
  const chips = aliases.map((alias) => element("span", { class: "chip" }, alias));
  const kind = `${config.model === "logistic" ? "Logistic" : "Softmax"} regression, ${config.learning_rate ? `learning rate ${config.learning_rate}, λ ${config.l2_penalty}` : "imported"}`;
  const check = metrics.published;
  const words = `${kind}. Its ${published} weights are those after step ${number(check.step)}: validation loss ${check.validation_loss.toFixed(4)}, accuracy ${percent(check.validation_accuracy)}.`;
  const links = [
    element("a", { class: "button main", href: address({ view: "draw", model: `${name}/${version}` }) }, "Draw with it"),
    element("a", { class: "button", href: address({ view: "compare", with: `${name}/${version}` }) }, "Compare"),
    job && exists !== false ? element("a", { class: "button", href: address({ job }) }, "Training run") : null,
    fileLink(`${path}/weights.npz`, "Weights (.npz)", { name: `${name}-${version}.npz` }),
    fileLink(path, "Manifest (.json)", { name: `${name}-${version}.json` }),
  ];
  const gone = job && exists === false ? element("p", { class: "hint" }, "Its training job is not on this server, so there are no curves.") : null;
  return element("div", { class: "card" }, element("p", {}, chips, chips.length ? " " : "", words), element("div", { class: "row" }, links), gone);
}

function weights(manifest) {
  const { name, version, published, metrics } = manifest;
  const tiles = new Tiles(manifest.classes, "weight", { nameOf: namesOf(manifest) });
  const choice = { which: published, scale: "tile" };
  const draw = async () => {
    try {
      const planes = await classPlanes(name, version, choice.which);
      if (planes) tiles.show(planes, { isShared: choice.scale === "shared" });
      else tiles.node.replaceChildren(unitsPicture(name, version));
    } catch (problem) {
      tiles.node.replaceChildren(element("p", { class: "note" }, problem.message));
    }
  };
  const choose = (what, options) => radios(what, options, choice, draw);
  draw();
  const at = (which) => `${which}, step ${number(metrics[which].step)}`;
  return element(
    "div",
    { class: "card", "data-hides": "weights" },
    element("h2", {}, "Weights"),
    element(
      "div",
      { class: "row" },
      choose("which", { best: at("best"), last: at("last") }),
      choose("scale", { tile: "each digit on its own scale", shared: "one scale for all" }),
    ),
    tiles.node,
  );
}

function radios(what, options, choice, changed) {
  const boxes = Object.entries(options).map(([value, label]) => {
    const input = element("input", { type: "radio", name: `weights-${what}`, value, checked: choice[what] === value });
    input.addEventListener("change", () => {
      choice[what] = value;
      changed();
    });
    return element("label", {}, input, label);
  });
  return element("div", { class: "radios", role: "radiogroup", "aria-label": what === "which" ? "Which weights" : "Scale" }, boxes);
}

function evaluated(manifest, found, opened) {
  const { name, version } = manifest;
  const nameOf = namesOf(manifest);
  const summary = `${percent(found.accuracy)} of ${number(found.n_images)} test images are classified correctly; the mean loss is ${found.loss.toFixed(4)}.`;
  const confusion = new Confusion(name, version, found, nameOf);
  const curve = calibration(found.calibration);
  opened.parts.push(curve);
  const rows = found.per_class.map((each) => [
    nameOf(each.class), share(each.precision), share(each.recall), share(each.f1), number(each.n_images),
  ]);
  return [
    element("div", { class: "card", "data-hides": "confusion" }, element("h2", {}, "Confusions"), element("p", {}, summary), confusion.node),
    element("div", { class: "charts" }, table(`Class by class: ${name}`, ["Class", "Precision", "Recall", "F1", "Images"], rows), curve.node),
    element("div", { class: "card" }, element("h2", {}, "The hardest test images"), gallery(found.hardest, found.dataset, name, version, nameOf)),
  ];
}

const share = (value) => (value === null ? "–" : percent(value));

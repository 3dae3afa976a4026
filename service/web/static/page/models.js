// Models: their weights, metrics and versions.

import { get } from "./api.js";
import { percent } from "./bars.js";
import { byId, element, emptyState } from "./element.js";
import { namesOf } from "./names.js";
import { Tiles } from "./tiles.js";
import { address, hideParts } from "./url.js";
import { classPlanes, unitsPicture } from "./weights_file.js";

export async function showModels() {
  const place = byId("model-list");
  try {
    const { models } = await get("/models");
    const usable = models.filter((model) => model.default);
    const cards = usable.length ? usable.map(card) : [emptyState("There is no model yet.", "/?view=train", "Train a model")];
    place.replaceChildren(...cards);
    hideParts(place);
  } catch (problem) {
    place.replaceChildren(element("p", { class: "note" }, problem.message));
  }
}

// The weights of a version as tiles, filled when they have arrived.
function weightTiles(name, version, shown) {
  const tiles = new Tiles(shown.classes, "weight", { nameOf: namesOf(shown) });
  classPlanes(name, version, shown.published).then(
    (planes) => (planes ? tiles.show(planes) : tiles.node.replaceChildren(unitsPicture(name, version))),
    (problem) => tiles.node.replaceChildren(element("p", { class: "note" }, problem.message)),
  );
  return tiles;
}

function card({ name, versions, aliases, default: shown }) {
  const { metrics, version } = shown;
  const named = Object.entries(aliases ?? {}).map(([alias, number]) => element("span", { class: "chip" }, `${alias}: version ${number}`));
  const facts = [
    `Version ${version} of ${versions.length} is in use`,
    metrics ? `accuracy ${percent(metrics.validation_accuracy)}, loss ${metrics.validation_loss.toFixed(4)}` : null,
  ];
  const inside = address({ view: "models", model: `${name}/${version}` });
  return element(
    "article",
    { class: "card" },
    element("h2", {}, element("a", { href: inside }, name)),
    element("p", {}, facts.filter(Boolean).join(" · "), " ", named),
    weightTiles(name, version, shown).node,
    element(
      "div",
      { class: "row" },
      element("a", { class: "button main", href: address({ view: "draw", model: name }), "aria-label": `Draw with it: ${name}` }, "Draw with it"),
      element("a", { class: "button", href: inside, "data-hides": "inside", "aria-label": `Look inside ${name}` }, "Look inside"),
    ),
  );
}

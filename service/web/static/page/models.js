// Models: what each looks for, how well it does, and its versions.

import { get } from "./api.js";
import { percent } from "./bars.js";
import { byId, element, emptyState, weightsFrame } from "./element.js";
import { inside } from "./inside.js";
import { address, hideParts } from "./url.js";

export async function showModels() {
  const place = byId("model-list");
  try {
    const { models } = await get("/models");
    const usable = models.filter((model) => model.default);
    const cards = usable.length ? usable.map(card) : [emptyState("There is no model yet.", "/?view=train", "Train one")];
    place.replaceChildren(...cards);
    hideParts(place);
  } catch (problem) {
    place.replaceChildren(element("p", { class: "note" }, problem.message));
  }
}

function card({ name, versions, aliases, default: shown }) {
  const base = `/api/v1/models/${encodeURIComponent(name)}/versions`;
  const { metrics, version } = shown;
  const image = element("img", {
    class: "weights",
    src: `${base}/${version}/weights.png?scale=per_tile&upscale=3`,
    alt: `The weights of ${name}, version ${version}: red where ink speaks for the digit, blue where it speaks against it`,
  });
  const named = Object.entries(aliases).map(([alias, number]) => `${alias} is version ${number}`);
  const facts = [
    `Version ${version} of ${versions.length} answers`,
    metrics ? `${percent(metrics.validation_accuracy)} right, loss ${metrics.validation_loss.toFixed(4)}` : null,
    ...named,
  ];
  const links = element(
    "div",
    { class: "row" },
    element("a", { class: "button main", href: address({ view: "draw", model: name }), "aria-label": `Draw with it: ${name}` }, "Draw with it"),
    element("a", { class: "button", href: `${base}/${version}`, "aria-label": `All facts of ${name}` }, "All facts"),
  );
  const look = element("details", { "data-hides": "inside" }, element("summary", {}, "Look inside"));
  look.addEventListener("toggle", () => open(look, name, version), { once: true });
  return element("article", { class: "card" }, element("h2", {}, name), element("p", {}, facts.filter(Boolean).join(" · ")), weightsFrame(image), links, look);
}

async function open(look, name, version) {
  const waiting = element("p", { class: "hint", role: "status" }, "Reading the test images …");
  look.append(waiting);
  try {
    waiting.replaceWith(await inside(name, version));
  } catch (problem) {
    waiting.replaceWith(element("p", { class: "note" }, problem.message));
  }
}

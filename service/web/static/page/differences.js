// The weights of several versions, and their differences from those of the first.

import { element } from "./element.js";
import { namesOf } from "./names.js";
import { planesOf, Tiles } from "./tiles.js";
import { weightsOf } from "./weights_file.js";

export class Differences {
  constructor() {
    this.node = element("div", {});
  }

  async show(runs) {
    if (!runs.length) return this.node.replaceChildren();
    const files = await Promise.all(runs.map(({ version }) => weightsOf(version.name, version.version)));
    const planes = runs.map(({ manifest }, i) => planesOf(files[i][manifest.published]));
    const first = runs[0].manifest;
    const { classes } = first;
    const cards = [card(`Weights of ${runs[0].label}`, first, planes[0])];
    runs.slice(1).forEach(({ label, manifest }, i) => {
      if (manifest.classes.join() === classes.join()) {
        const change = planes[i + 1].map((plane, k) => plane.map((weight, j) => weight - planes[0][k][j]));
        cards.push(card(`${label} minus ${runs[0].label}: red where its weights are larger, blue where they are smaller`, first, change));
      } else cards.push(card(`Weights of ${label}, which has other classes`, manifest, planes[i + 1]));
    });
    this.node.replaceChildren(...cards);
  }
}

function card(title, manifest, planes) {
  const tiles = new Tiles(manifest.classes, "weight", { nameOf: namesOf(manifest) });
  tiles.show(planes, { isShared: true });
  return element("div", { class: "card", "data-hides": "weights" }, element("h2", {}, title), tiles.node);
}

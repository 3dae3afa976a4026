// The weights of several versions, and their differences from those of the first.

import { element } from "./element.js";
import { namesOf } from "./names.js";
import { Tiles } from "./tiles.js";
import { classPlanes, unitsPicture } from "./weights_file.js";

export class Differences {
  constructor() {
    this.node = element("div", {});
  }

  async show(runs) {
    if (!runs.length) return this.node.replaceChildren();
    const planes = await Promise.all(runs.map(({ version, manifest }) => classPlanes(version.name, version.version, manifest.published)));
    const first = runs[0].manifest;
    const { classes } = first;
    const cards = [card(`Weights of ${runs[0].label}`, first, planes[0], runs[0].version)];
    runs.slice(1).forEach(({ label, manifest, version }, i) => {
      if (planes[0] && planes[i + 1] && manifest.classes.join() === classes.join()) {
        const change = planes[i + 1].map((plane, k) => plane.map((weight, j) => weight - planes[0][k][j]));
        cards.push(card(`${label} minus ${runs[0].label}: red where its weights are larger, blue where they are smaller`, first, change));
      } else cards.push(card(`Weights of ${label}, which has other classes or hidden layers`, manifest, planes[i + 1], version));
    });
    this.node.replaceChildren(...cards);
  }
}

function card(title, manifest, planes, version) {
  const tiles = new Tiles(manifest.classes, "weight", { nameOf: namesOf(manifest) });
  if (planes) tiles.show(planes, { isShared: true });
  else tiles.node.replaceChildren(unitsPicture(version.name, version.version));
  return element("div", { class: "card", "data-hides": "weights" }, element("h2", {}, title), tiles.node);
}

// Shows the part of the page that the address names.

import { showDraw } from "./draw.js";
import { byId } from "./element.js";
import { showJobs } from "./jobs.js";
import { showModels } from "./models.js";
import { showTrain } from "./train.js";
import { followLinks, hideParts, onMove, viewOf } from "./url.js";
import { showWatch } from "./watch.js";

const VIEWS = { draw: showDraw, train: showTrain, watch: showWatch, jobs: showJobs, models: showModels };
let leave = () => {};

onMove((params) => {
  leave();
  const view = viewOf(params);
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== view;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    const isHere = link.dataset.view === (view === "watch" ? "jobs" : view);
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  hideParts(document);
  document.title = `${byId(`${view}-title`).textContent} · Inkling`;
  const left = VIEWS[view](params);
  leave = typeof left === "function" ? left : () => {};
});
followLinks();

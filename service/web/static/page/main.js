// Shows the part of the page that the address names.

import { showCompare } from "./compare.js";
import { showData } from "./data.js";
import { showDraw } from "./draw.js";
import { byId } from "./element.js";
import { showJobs } from "./jobs.js";
import { showModel } from "./model.js";
import { showModels } from "./models.js";
import { releasePictures } from "./picture.js";
import { showReport } from "./report.js";
import { showReports } from "./reports.js";
import { showSweeps } from "./sweeps.js";
import { showTrain } from "./train.js";
import { followLinks, hideParts, onMove, showAgain, viewOf } from "./url.js";
import { showWatch } from "./watch.js";

// The function that shows each part, and its link in the navigation.
const VIEWS = {
  draw: [showDraw, "draw"],
  train: [showTrain, "train"],
  watch: [showWatch, "jobs"],
  jobs: [showJobs, "jobs"],
  sweeps: [showSweeps, "sweeps"],
  models: [showModels, "models"],
  "model-page": [showModel, "models"],
  compare: [showCompare, "compare"],
  data: [showData, "data"],
  reports: [showReports, "reports"],
  report: [showReport, "reports"],
};
let leave = () => {};

onMove((params) => {
  leave();
  releasePictures();
  const view = viewOf(params);
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== view;
  const [show, home] = VIEWS[view];
  const place = params.has("sweep") ? "sweeps" : home;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  hideParts(document);
  document.title = `${byId(`${view}-title`).textContent} · Inkling`;
  const left = show(params);
  leave = typeof left === "function" ? left : () => {};
});
followLinks();
// Charts and pictures have the colours of the theme in which they were drawn.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showAgain);

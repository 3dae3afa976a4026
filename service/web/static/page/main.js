// Shows the part of the page that the address names. Its modules are fetched when it is shown first.

import { byId } from "./element.js";
import { html, render } from "./html.js";
import { releasePictures } from "./picture.js";
import { followLinks, hideParts, onMove, showAgain, viewOf } from "./url.js";

// A function that shows a component in a part of the page, and returns one that takes it away.
const shown = (id, Component) => (params) => {
  render(html`<${Component} params=${params} />`, byId(id));
  return () => render(null, byId(id));
};

// The function that shows each part, and its link in the navigation.
const VIEWS = {
  draw: [async () => shown("draw", (await import("./draw/draw.js")).Draw), "draw"],
  train: [async () => (await import("./train.js")).showTrain, "train"],
  watch: [async () => (await import("./watch.js")).showWatch, "jobs"],
  jobs: [async () => (await import("./jobs.js")).showJobs, "jobs"],
  sweeps: [async () => (await import("./sweeps.js")).showSweeps, "sweeps"],
  models: [async () => (await import("./models.js")).showModels, "models"],
  "model-page": [async () => (await import("./model.js")).showModel, "models"],
  compare: [async () => (await import("./compare.js")).showCompare, "compare"],
  data: [async () => (await import("./data.js")).showData, "data"],
  reports: [async () => (await import("./reports.js")).showReports, "reports"],
  report: [async () => (await import("./report.js")).showReport, "reports"],
};
let leave = () => {};
let latest = null;

onMove(async (params) => {
  latest = params;
  leave();
  leave = () => {};
  releasePictures();
  const view = viewOf(params);
  const [load, home] = VIEWS[view];
  const place = params.has("sweep") ? "sweeps" : home;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const show = await load();
  if (latest !== params) return; // another part was chosen meanwhile
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== view;
  hideParts(document);
  const left = show(params);
  document.title = `${byId(`${view}-title`).textContent} · Inkling`;
  leave = typeof left === "function" ? left : () => {};
});
followLinks();
// Charts and pictures have the colours of the theme in which they were drawn.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showAgain);

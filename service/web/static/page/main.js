// Shows the part of the page that the address names. Its modules are fetched when it is shown first.

import { html, render } from "./html.js";
import { takeKey } from "./key.js";
import { address, followLinks, onMove, showAgain, viewOf } from "./url.js";

const RUNS = { jobs: "Jobs", sweeps: "Sweeps", compare: "Compare" };

// The component of each part, and its link in the navigation.
const VIEWS = {
  draw: [async () => (await import("./draw/draw.js")).Draw, "draw"],
  train: [async () => (await import("./train/train.js")).Train, "train"],
  jobs: [async () => (await import("./jobs/jobs.js")).Jobs, "runs"],
  job: [async () => (await import("./job/job.js")).Job, "runs"],
  sweeps: [async () => (await import("./sweeps/sweeps.js")).Sweeps, "runs"],
  sweep: [async () => (await import("./sweeps/sweep.js")).Sweep, "runs"],
  models: [async () => (await import("./models/models.js")).Models, "models"],
  "model-page": [async () => (await import("./models/model.js")).Model, "models"],
  compare: [async () => (await import("./compare/compare.js")).Compare, "runs"],
  data: [async () => (await import("./data/data.js")).Data, "data"],
  reports: [async () => (await import("./reports/reports.js")).Reports, "reports"],
  report: [async () => (await import("./reports/report.js")).Report, "reports"],
};
const place = document.getElementById("views");

// The links of the group that holds jobs and what they belong to.
const Runs = ({ view }) => html`<nav class="group" aria-label="Runs">
  ${Object.entries(RUNS).map(([name, label]) => html`<a key=${name} class="chip" href=${address({ view: name })} aria-current=${view === name ? "page" : null}>${label}</a>`)}
</nav>`;

// A browser does not ask again for a module that failed, before the page is loaded anew.
const Unloaded = () => html`<h1>Not loaded</h1>
  <p class="note" role="alert">This part of the page could not be loaded: the server cannot be reached.</p>
  <button type="button" class="main" onClick=${() => location.reload()}>Reload</button>`;

let n_shown = 0;

onMove(takeKey);
onMove(async (params) => {
  const view = viewOf(params);
  const [load, home] = VIEWS[view];
  for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("nav [data-view]"))) {
    if (link.dataset.view === home) {
      link.setAttribute("aria-current", "page");
      link.parentElement.scrollLeft = link.offsetLeft - link.parentElement.offsetLeft - link.offsetWidth; // of a row that a phone cuts off
    } else link.removeAttribute("aria-current");
  }
  const turn = ++n_shown;
  const Component = await load().catch(() => Unloaded);
  if (turn !== n_shown) return; // another part was chosen meanwhile
  // The key makes each address a part of its own: nothing of the one before is left in it.
  render(html`<section key=${turn} id=${view} aria-labelledby=${Component === Unloaded ? null : `${view}-title`}>
    ${home === "runs" && html`<${Runs} view=${view} />`}
    <${Component} params=${params} />
  </section>`, place);
  const heading = place.querySelector("h1");
  document.title = `${heading.textContent} · Inkling`;
  if (turn === 1 || document.activeElement !== document.body) return;
  heading.tabIndex = -1; // what had the focus is gone: it goes to what has appeared
  heading.focus({ preventScroll: true });
});
followLinks();
// Charts and pictures have the colours of the theme in which they were drawn.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showAgain);

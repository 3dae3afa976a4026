// A report: its progress, then every task with its answer, its figures and its tables.

import { get, post } from "./api.js";
import { byId, element, emptyState, redraw } from "./element.js";
import { keepFresh } from "./fresh.js";
import { fileLink, picture } from "./picture.js";
import { badge, table } from "./table.js";
import { address, setTitle } from "./url.js";

const OVER = ["succeeded", "failed", "cancelled"];

export function showReport(params) {
  const place = byId("report-page");
  const id = encodeURIComponent(params.get("report"));
  place.replaceChildren();

  async function load(isLeft) {
    const report = await get(`/reports/${id}`);
    if (isLeft()) return false;
    setTitle("report-title", report.options.quick ? "A quick course report" : "The course report");
    const isOver = OVER.includes(report.state);
    redraw(place, head(report, isOver, () => post(`/reports/${id}/cancel`).then(fresh.again)), ...text(report));
    return !isOver;
  }

  const fresh = keepFresh(place, load, () => emptyState("There is no such report.", "/?view=reports", "See all reports"));
  return fresh.stop;
}

function head({ id, state, fraction, jobs, sweep, sections }, isOver, cancel) {
  const row = element("div", { class: "row" });
  for (const form of sections.length ? ["html", "pdf", "json"] : []) {
    row.append(fileLink(`/reports/${id}/report.${form}`, form.toUpperCase(), { name: `report.${form}`, "aria-label": `Save as ${form.toUpperCase()}` }));
  }
  const runs = jobs.filter(Boolean);
  row.append(element("a", { class: "button", href: address({ sweep }) }, "Softmax runs"));
  if (runs.length > 1) row.append(element("a", { class: "button", href: address({ view: "compare", with: runs.slice(0, 2).join() }) }, "Compare with and without shuffling"));
  if (!isOver) row.append(element("button", { type: "button", onclick: cancel }, "Cancel"));
  const bar = element("progress", { max: "1", value: String(fraction), "aria-label": "Progress", hidden: isOver });
  const words = { succeeded: "All runs have finished.", failed: "A run failed, so there is no report. Request another one.", cancelled: "The report was cancelled." };
  return element("div", { class: "card" }, element("p", { class: "state", role: "status" }, badge(state), ` ${words[state] ?? "The runs are training."}`), bar, row);
}

function text({ id, sections }) {
  if (!sections.length) return [];
  const contents = element("ol", {}, sections.map(({ number, title }) => element("li", {}, element("b", {}, number), ` ${title}`)));
  const parts = sections.map((section) =>
    element(
      "section",
      { class: "card task" },
      element("h2", {}, element("span", { class: "chip" }, section.number), ` ${section.title}`),
      section.formulas.map((formula) => element("p", { class: "formula" }, formula)),
      section.sentences.map((sentence) => element("p", {}, sentence)),
      section.figures.map((figure) => shown(id, figure)),
      section.table ? [element("p", { class: "hint" }, section.table.caption), table(section.title, section.table.head, section.table.rows)] : null,
    ),
  );
  return [element("details", { class: "card" }, element("summary", {}, "Contents"), contents), ...parts];
}

function shown(id, { name, caption }) {
  const image = picture(`/reports/${id}/figures/${name}.png`, { class: "weights", alt: caption });
  return element("figure", {}, image, element("figcaption", {}, caption));
}

// Reports: a list, and a form for a new one.

import { get, post } from "./api.js";
import { byId, element, redraw } from "./element.js";
import { keepFresh } from "./fresh.js";
import { badge, moment, table } from "./table.js";
import { address, go } from "./url.js";

export function showReports() {
  const place = byId("report-list");
  const list = element("div", {});
  place.replaceChildren(form(), list);

  async function load(isLeft) {
    const { reports } = await get("/reports?limit=100");
    if (isLeft()) return false;
    if (reports.length) redraw(list, table("Reports", ["Requested", "Kind", "Digits", "L2 penalties", "State", "Done"], reports.map(row)));
    else list.replaceChildren(element("p", { class: "hint" }, "No report yet. A quick one takes a few seconds."));
    return true;
  }

  return keepFresh(list, load, (problem) => element("p", { class: "note" }, problem.message)).stop;
}

function row({ id, options, state, fraction, created_at }) {
  return [
    element("a", { href: address({ report: id }) }, moment(created_at)),
    options.quick ? "quick" : "full",
    options.classes.join(" and "),
    options.l2_penalties.join(", "),
    badge(state),
    `${Math.round(100 * fraction)} %`,
  ];
}

function form() {
  const seed = element("input", { type: "text", id: "report-seed", inputmode: "numeric", value: "0", autocomplete: "off" });
  const quick = element("input", { type: "checkbox", id: "report-quick" });
  const problem = element("p", { class: "error", role: "alert", hidden: true });
  const button = element("button", { type: "submit", class: "main" }, "Make a report");
  const made = element(
    "form",
    { class: "card", "data-hides": "submit" },
    element(
      "div",
      { class: "row" },
      element("label", { for: "report-seed" }, "Seed"),
      seed,
      element("label", { class: "tick" }, quick, "quick: fewer epochs"),
      button,
    ),
    element("p", { class: "hint" }, "A report trains seven runs: logistic regression with and without shuffling, and softmax regression with five L2 penalties."),
    problem,
  );
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const report = await post("/reports", { seed: Number(seed.value), quick: quick.checked });
      go(address({ report: report.id }));
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
  return made;
}

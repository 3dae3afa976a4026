// The versions of a model, their aliases, and the history of the champion; promoting one and rolling back.

import { get, put } from "./api.js";
import { percent } from "./bars.js";
import { compareAddress } from "./compare.js";
import { element } from "./element.js";
import { moment, Picks, table } from "./table.js";
import { address, showAgain } from "./url.js";

const CHAMPION = "champion";

export function versions(model, manifest) {
  const picks = new Picks();
  const champion = model.aliases?.[CHAMPION] ?? null;
  const rows = [...model.versions].reverse().map((each) => row(model, each, manifest, champion, picks));
  const history = element("div", {});
  const problem = element("p", { class: "error", role: "alert", hidden: true });
  const made = element(
    "div",
    { "data-hides": "versions" },
    element("div", { class: "row" }, element("h2", {}, `Versions of ${model.name}`), picks.link),
    problem,
    table(`Versions of ${model.name}`, ["", "Version", "Aliases", "Loss", "Accuracy", "Created", ""], rows),
    history,
  );
  made.addEventListener("promote", async ({ detail }) => {
    try {
      await promote(model.name, detail.version, detail.reason, champion);
      showAgain();
    } catch (error) {
      problem.textContent = error.status === 412 ? "The champion was changed by somebody else. Reload the page, then decide." : error.message;
      problem.hidden = false;
    }
  });
  showHistory(history, model, champion);
  return made;
}

// Changes only the champion that the page shows: If-Match names that version.
async function promote(name, version, reason, champion) {
  const headers = champion === null ? {} : { "If-Match": `"${champion}"` };
  return put(`/models/${encodeURIComponent(name)}/aliases/${CHAMPION}`, { version, reason }, headers);
}

function row(model, each, shown, champion, picks) {
  const { version, metrics, created_at: at, state } = each;
  const part = `${model.name}/${version}`;
  const aliases = Object.entries(model.aliases ?? {}).filter(([, number]) => number === version);
  if (state === "corrupted") return ["", String(version), "", "", "", "its manifest is damaged", ""];
  const link = element("a", { href: address({ view: "models", model: part }), "aria-current": version === shown.version ? "true" : null }, `${version}`);
  return [
    picks.box(part, `version ${version}`, compareAddress),
    link,
    element("span", {}, aliases.map(([alias]) => element("span", { class: "chip" }, alias))),
    metrics ? metrics.validation_loss.toFixed(4) : "–",
    metrics ? percent(metrics.validation_accuracy) : "–",
    at ? moment(at) : "–",
    version === champion ? "in use" : button("Promote", version, `promoted on the page`, `Promote version ${version}`),
  ];
}

async function showHistory(place, model, champion) {
  if (champion === null) {
    const words = "No version is the champion yet, so the newest one is used. Promote a version to use it until you promote another.";
    place.replaceChildren(element("p", { class: "hint" }, words));
    return;
  }
  try {
    const { history } = await get(`/models/${encodeURIComponent(model.name)}/aliases/${CHAMPION}/history`);
    const before = history.filter(({ version }) => version !== null && version !== champion).at(-1);
    const rows = [...history].reverse().map(({ at, version, reason, by }) => [
      moment(at), version === null ? "none" : `version ${version}`, reason ?? "–", by ?? "–",
    ]);
    const title = element("div", { class: "row" }, element("h2", {}, "Champion history"));
    if (before) {
      const label = `Roll back to version ${before.version}`;
      title.append(button(label, before.version, `rolled back from version ${champion}`, label));
    }
    place.replaceChildren(title, table("Champion history", ["Time", "Version", "Reason", "By"], rows));
  } catch (problem) {
    place.replaceChildren(element("p", { class: "note" }, problem.message));
  }
}

function button(label, version, reason, name) {
  const click = (event) => event.target.dispatchEvent(new CustomEvent("promote", { bubbles: true, detail: { version, reason } }));
  return element("button", { type: "button", onclick: click, "aria-label": name }, label);
}

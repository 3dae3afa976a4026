// Compare: the runs and versions that the address names, side by side: ?with=mnist-softmax/1,JOB.

import { get } from "./api.js";
import { Differences } from "./differences.js";
import { byId, element, emptyState } from "./element.js";
import { keepFresh } from "./fresh.js";
import { Overlay } from "./overlay.js";
import { address, go } from "./url.js";
import { verdicts } from "./verdicts.js";

const MAX_RUNS = 8;

export const compareAddress = (parts) => address({ view: "compare", with: parts.slice(0, MAX_RUNS).join() });

export function showCompare(params) {
  const place = byId("compared");
  const parts = (params.get("with") ?? "").split(",").filter(Boolean).slice(0, MAX_RUNS);
  const overlay = new Overlay();
  const table = element("div", {});
  const differences = new Differences();
  place.replaceChildren();
  let shown = "";

  async function load(isLeft) {
    const [{ models }, runs] = await Promise.all([get("/models"), Promise.all(parts.map(runOf))]);
    if (isLeft()) return false;
    if (!place.hasChildNodes()) place.append(element("div", { class: "row chosen" }), overlay.node, table, differences.node);
    place.querySelector(".chosen").replaceChildren(...chosen(runs, models));
    if (!runs.length) {
      const words = "Nothing to compare yet. Add two versions above, or tick runs in the list of jobs or in a sweep.";
      table.replaceChildren(emptyState(words, "/?view=jobs", "See all jobs"));
      return false;
    }
    await overlay.show(runs);
    const versions = runs.filter((run) => run.version);
    if (isLeft() || shown === namesOf(versions)) return runs.some((run) => run.isTraining);
    shown = namesOf(versions);
    table.replaceChildren(...(await verdicts(runs)));
    await differences.show(versions);
    return runs.some((run) => run.isTraining);
  }

  const fresh = keepFresh(place, load, (problem) => emptyState(problem.message, "/?view=compare", "Start over"));
  return () => {
    fresh.stop();
    overlay.close();
  };
}

const namesOf = (versions) => versions.map((run) => run.label).join() || "none";

// The run that a part of the address names: {part, label, job, version: {name, version} or null, config, isTraining}.
async function runOf(part, i) {
  const colour = `series-${i + 1}`;
  if (part.includes("/")) {
    const [name, reference] = part.split("/");
    const manifest = await get(`/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(reference)}`);
    const job = manifest.job_exists ? await get(`/jobs/${manifest.job_id}`).catch(() => null) : null;
    const version = { name, version: manifest.version };
    return { part, colour, label: `${name}/${manifest.version}`, job, version, manifest, config: manifest.config, isTraining: false };
  }
  const job = await get(`/jobs/${encodeURIComponent(part)}`);
  const manifest = job.model ? await get(`/models/${job.model.name}/versions/${job.model.version}`) : null;
  const label = job.model ? `${job.model.name}/${job.model.version}` : `${job.config.name}, ${job.state}`;
  return { part, colour, label, job, version: job.model, manifest, config: job.config, isTraining: !job.finished_at };
}

function chosen(runs, models) {
  const parts = runs.map((run) => run.part);
  const chips = runs.map((run) =>
    element(
      "span",
      { class: `chip picked ${run.colour}` },
      run.label,
      element("a", { href: compareAddress(parts.filter((part) => part !== run.part)), "aria-label": `Remove ${run.label}` }, "×"),
    ),
  );
  if (runs.length >= MAX_RUNS) return chips;
  const groups = models.map(({ name, versions }) =>
    element("optgroup", { label: name }, [...versions].reverse().map((version) => element("option", { value: `${name}/${version}` }, `${name}, version ${version}`))),
  );
  const select = element("select", { id: "add-version", "aria-label": "Add a version" }, element("option", { value: "" }, "Add a version …"), groups);
  select.addEventListener("change", () => select.value && go(compareAddress([...parts, select.value])));
  return [...chips, select];
}

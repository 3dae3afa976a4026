// Compare: the runs and versions that the address names, side by side: ?with=mnist-softmax/1,JOB.

import { all, get } from "../api.js";
import { html, useRef } from "../html.js";
import { Chart, join } from "../parts/chart.js";
import { Empty, Lost, useLive } from "../parts/live.js";
import { compareAddress } from "../parts/table.js";
import { go } from "../url.js";
import { Differences } from "./differences.js";
import { Verdicts } from "./verdicts.js";

const MAX_RUNS = 8;
const POINTS = 400;
const CHARTS = [
  ["Validation loss", "validation_loss", false],
  ["Validation accuracy", "validation_accuracy", true],
  ["Training accuracy", "train_accuracy", true],
];

export function Compare({ params }) {
  const parts = (params.get("with") ?? "").split(",").filter(Boolean).slice(0, MAX_RUNS);
  const load = async () => {
    const [{ models }, runs] = await Promise.all([all("models"), Promise.all(parts.map(runOf))]);
    return [{ models, runs }, runs.some((run) => run.isTraining)];
  };
  const { data, problem, isLost } = useLive(load, [parts.join()]);
  // Versions do not change: what is known of them is not asked for again while a run trains.
  const versions = useRef([]);
  const found = (data?.runs ?? []).filter((run) => run.version);
  if (found.map(({ label }) => label).join() !== versions.current.map(({ label }) => label).join()) versions.current = found;
  return html`
    <h1 id="compare-title">Compare</h1>
    <p class="lead">Two or more runs side by side: their curves, their differences, and whether those are more than chance.</p>
    <div id="compared">
      <${Lost} when=${isLost} />
      ${problem && html`<${Empty} href="/?view=compare" label="Start over">${problem.message}<//>`}
      ${data && html`<${Chosen} ...${data} />`}
      ${data && !data.runs.length && html`<${Empty} href="/?view=jobs" label="See all jobs">Nothing to compare yet. Add two versions above, or tick runs in the list of jobs or in a sweep.<//>`}
      ${data?.runs.length > 0 && html`<${Overlay} runs=${data.runs} /><${Verdicts} runs=${data.runs} versions=${versions.current} /><${Differences} versions=${versions.current} />`}
    </div>
  `;
}

// The run that a part of the address names: {part, colour, label, job, version: {name, version} or null, manifest, config, checks, isTraining}.
async function runOf(part, i) {
  const common = { part, colour: `series-${i + 1}` };
  if (part.includes("/")) {
    const [name, reference] = part.split("/");
    const manifest = await get(`/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(reference)}`);
    const job = manifest.job_exists ? await get(`/jobs/${manifest.job_id}`).catch(() => null) : null;
    const version = { name, version: manifest.version };
    return { ...common, label: `${name}/${manifest.version}`, job, version, manifest, config: manifest.config, checks: await checksOf(job), isTraining: false };
  }
  const job = await get(`/jobs/${encodeURIComponent(part)}`);
  const manifest = job.model ? await get(`/models/${job.model.name}/versions/${job.model.version}`) : null;
  const label = job.model ? `${job.model.name}/${job.model.version}` : `${job.config.name}, ${job.state}`;
  return { ...common, label, job, version: job.model, manifest, config: job.config, checks: await checksOf(job), isTraining: !job.finished_at };
}

const checksOf = async (job) => (job ? (await get(`/jobs/${job.id}/metrics?max_points=${POINTS}`)).checks : []);

function Chosen({ runs, models }) {
  const parts = runs.map((run) => run.part);
  const chip = (run) => html`<span key=${run.part} class=${`chip picked ${run.colour}`}>
    ${run.label}<a href=${compareAddress(parts.filter((part) => part !== run.part))} aria-label=${`Remove ${run.label}`}>×</a>
  </span>`;
  const group = ({ name, versions }) => html`<optgroup key=${name} label=${name}>
    ${[...versions].reverse().map((version) => html`<option key=${version} value=${`${name}/${version}`}>${`${name}, version ${version}`}</option>`)}
  </optgroup>`;
  const add = (event) => event.target.value && go(compareAddress([...parts, event.target.value]));
  return html`<div class="row chosen">
    ${runs.map(chip)}
    ${runs.length < MAX_RUNS && html`<select id="add-version" aria-label="Add a version" onChange=${add}><option value="">Add a version …</option>${models.map(group)}</select>`}
  </div>`;
}

// The curves of all runs in the same charts.
function Overlay({ runs }) {
  const trained = runs.filter((run) => run.job);
  const missing = runs.filter((run) => !run.job).map((run) => run.label);
  const series = trained.map(({ label, colour }) => ({ label, colour }));
  const table = (name) => join(trained.map(({ checks }) => [checks.map((check) => check.step), checks.map((check) => check[name])]));
  const words = (name) => trained.map(({ label, checks }) => `${label}: ${checks.at(-1)?.[name]?.toFixed(4) ?? "no check yet"}`).join("; ");
  const chart = ([title, name, percent]) => html`<${Chart} key=${name} title=${title} series=${series} percent=${percent} sync="overlay" data=${table(name)} words=${words(name)} />`;
  return html`<div class="charts">${trained.length > 0 && CHARTS.map(chart)}</div>
    ${missing.length > 0 && html`<p class="hint uncharted">No curves for ${missing.join(" and ")}: the training job is not on this server.</p>`}`;
}

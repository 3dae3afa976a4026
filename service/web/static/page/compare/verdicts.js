// Numbers of several runs side by side: their differences, and whether those are more than chance.

import { get } from "../api.js";
import { number, percent, printedP, SIGNIFICANT, signed } from "../format.js";
import { html } from "../html.js";
import { useLoaded } from "../parts/live.js";
import { Table } from "../parts/table.js";
import { inWords, title } from "../train/values.js";

// versions: those of the runs that have one.
export function Verdicts({ runs, versions }) {
  const query = new URLSearchParams(versions.map(({ version }) => ["model", `${version.name}/${version.version}`]));
  const { data, problem } = useLoaded(async () => (versions.length > 1 ? get(`/compare?${query}`) : null), [`${query}`]);
  return html`<div>
    <${SideBySide} runs=${runs} />
    ${problem && html`<p class="note">${problem.message}</p>`}
    ${data && html`<${OnTheSameImages} ...${data} />`}
    ${data?.comparisons.map((each) => html`<${Verdict} key=${each.other} ...${each} />`)}
  </div>`;
}

// The settings in which the runs differ, and their results.
function SideBySide({ runs }) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.config)))].filter((name) => name !== "name");
  const setting = (run, name) => inWords(run.config[name], name);
  const differing = names.filter((name) => new Set(runs.map((run) => setting(run, name))).size > 1);
  const best = (run) => run.manifest?.metrics.best ?? run.job?.metrics.best;
  const row = (name, write) => [name, ...runs.map((run) => (best(run) ? write(best(run)) : "–"))];
  const rows = [
    ...differing.map((name) => [title(name), ...runs.map((run) => setting(run, name))]),
    row("Best check at step", (check) => number(check.step)),
    row("Validation loss", (check) => check.validation_loss.toFixed(4)),
    row("Validation accuracy", (check) => percent(check.validation_accuracy)),
    row("Training accuracy", (check) => percent(check.train_accuracy)),
  ];
  return html`<${Table} caption="Runs side by side" areValues headings=${["", ...runs.map((run) => run.label)]} rows=${rows} />`;
}

function OnTheSameImages({ n_images, models, comparisons }) {
  const rows = models.map(({ model, version, accuracy, loss }, i) => {
    const against = comparisons[i - 1];
    return [
      `${model}/${version}`,
      percent(accuracy),
      against ? points(against.accuracy_difference, against.accuracy_interval) : "baseline",
      loss.toFixed(4),
      against ? difference(against.loss_difference, against.loss_interval) : "baseline",
      against ? chance(against.p_value) : "",
    ];
  });
  const headings = ["Version", "Accuracy", "Difference in points (95 %)", "Loss", "Difference (95 %)", "More than chance?"];
  return html`<h2>On the same ${number(n_images)} test images</h2><${Table} caption="Versions on the same images" areValues headings=${headings} rows=${rows} />`;
}

// The interval of the difference of accuracy as a bar, and its meaning as a sentence.
function Verdict({ other, first, accuracy_interval: [low, high], accuracy_difference: middle, sentence, p_value }) {
  const reach = 1.15 * Math.max(Math.abs(low), Math.abs(high), 1e-4);
  const place = (value) => `${50 + (50 * value) / reach}%`;
  return html`<div class="card verdict">
    <p>${sentence}</p>
    <div class=${`interval ${p_value < SIGNIFICANT ? "sure" : ""}`} aria-hidden="true">
      <span class="interval-zero"></span>
      <span class="interval-bar" style=${{ left: place(low), width: `${(50 * (high - low)) / reach}%` }}></span>
      <span class="interval-dot" style=${{ left: place(middle) }}></span>
    </div>
    <div class="interval-ends hint"><span>← ${first} is better</span><span>${other} is better →</span></div>
  </div>`;
}

const points = (middle, [low, high]) => `${signed(100 * middle, 2)} (${signed(100 * low, 2)} to ${signed(100 * high, 2)})`;
const difference = (middle, [low, high]) => `${signed(middle, 4)} (${signed(low, 4)} to ${signed(high, 4)})`;
const chance = (p) => `${p < SIGNIFICANT ? "yes" : "not clear"}, ${printedP(p)}`;

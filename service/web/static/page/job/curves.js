// The recorded values of a run over its steps, in two charts.

import { get } from "../api.js";
import { percent } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { Chart, join } from "../parts/chart.js";
import { restOf } from "./stepwise.js";

const POINTS = 600;
const EVERY_MS = 1500;
const SMOOTHING = 0.95; // weight of the past
const NONE = { steps: [], values: [] };
const SERIES = [
  { label: "training", colour: "series-faint", width: 1 },
  { label: "validation", colour: "series-2" },
];

// past: the step that is shown in the past, or null.
export function Curves({ job, checks, past, isOver }) {
  const loss = useTrainingLoss(job.id, checks.length, isOver, restOf(job));
  const [isLog, setLog] = useState(false);
  const [isSmooth, setSmooth] = useState(false);
  const last = checks.at(-1);
  if (!last) {
    const empty = { series: SERIES, words: "It begins with the first check." };
    return html`<div class="charts"><${Chart} title="Loss" ...${empty} /><${Chart} title="Accuracy" ...${empty} percent /></div>`;
  }
  const x = checks.map((check) => check.step);
  const of = (name) => checks.map((check) => check[name]);
  const best = checks.reduce((a, b) => (b.validation_loss < a.validation_loss ? b : a));
  const isEarly = isOver && job.stop_reason === "early_stopping";
  const marks = [
    { x: best.step, label: "best" },
    ...(past === null ? [] : [{ x: past, label: "here" }]),
    ...(isEarly ? [{ x: last.step, label: "stopped early" }] : []),
  ];
  const [steps, values] = loss.steps.length ? [loss.steps, loss.values] : [x, of("train_loss")];
  const batch = [steps, isSmooth ? smoothed(values) : values];
  const common = {
    series: SERIES,
    sync: job.id,
    marks,
    shade: isEarly ? [best.step, last.step] : null, // the patience that was used up
    words: `After step ${last.step}: validation loss ${last.validation_loss.toFixed(4)}, accuracy ${percent(last.validation_accuracy)}.`,
  };
  return html`<div class="charts">
    <${Chart} title="Loss" ...${common} log=${isLog} data=${join([batch, [x, of("validation_loss")]])}>
      <div class="row">
        <label class="tick hint"><input type="checkbox" checked=${isLog} onChange=${(event) => setLog(event.target.checked)} />logarithmic</label>
        <label class="tick hint"><input type="checkbox" checked=${isSmooth} onChange=${(event) => setSmooth(event.target.checked)} />training loss smoothed</label>
        ${isEarly && html`<span class="hint">Shaded: the ${job.config.patience} checks that found no lower validation loss.</span>`}
      </div>
    <//>
    <${Chart} title="Accuracy" ...${common} percent data=${[x, of("train_accuracy"), of("validation_accuracy")]} />
  </div>`;
}

// The loss of every step, thinned; between two requests only the checks extend the curves. rest: where it is paused, or null.
function useTrainingLoss(jobId, nChecks, isOver, rest) {
  const [loss, setLoss] = useState(NONE);
  const [round, setRound] = useState(0);
  const isWaiting = nChecks > 0;
  useEffect(() => {
    if (!isWaiting) return;
    let isLeft = false;
    const load = async () => {
      const { train_loss } = await get(`/jobs/${jobId}/metrics?max_points=${POINTS}`);
      if (!isLeft) setLoss(train_loss);
    };
    load().catch(() => {}); // the checks still arrive; the next round repeats the request
    const timer = isOver || rest !== null ? null : setTimeout(() => setRound(round + 1), EVERY_MS);
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, [jobId, isWaiting, isOver, rest, round]);
  return loss;
}

// The exponential moving average, without the bias of its beginning.
export function smoothed(values) {
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    sum = SMOOTHING * sum + (1 - SMOOTHING) * value;
    weight = SMOOTHING * weight + (1 - SMOOTHING);
    return sum / weight;
  });
}

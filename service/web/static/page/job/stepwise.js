// A job that is trained step by step: buttons and keys to pause and continue it, its weights, and the gradient of its next step.

import { get } from "../api.js";
import { number } from "../format.js";
import { html, useEffect, useMemo, useNewest, useRef } from "../html.js";
import { useLoaded } from "../parts/live.js";
import { LayerTiles } from "../parts/tiles.js";

const ACTIONS = [
  { key: "s", label: "One step", by: { steps: 1 } },
  { key: "e", label: "One epoch", by: { epochs: 1 } },
  { key: "g", label: "Go on", by: {} },
];

// Whether it is paused, or will be.
export const isStepwise = ({ state, pause_at_step }) => pause_at_step !== null && ["queued", "running", "paused"].includes(state);

// A number that changes whenever a job is paused anew; null while it is not.
export const restOf = ({ state, pause_at_step }) => (state === "paused" ? pause_at_step : null);

// act(path, body): requests a change of the job.
export function PauseButton({ job, act }) {
  const isPossible = ["queued", "running"].includes(job.state) && job.can_pause;
  useKeys({ p: () => isPossible && act("pause") });
  return isPossible && html`<button type="button" onClick=${() => act("pause")}>Pause <kbd aria-hidden="true">P</kbd></button>`;
}

export function Stepwise({ job, nameOf, act }) {
  const rest = restOf(job);
  const actions = job.can_pause ? ACTIONS : ACTIONS.slice(-1); // then only to its end
  const proceed = (by) => rest !== null && act("continue", by);
  useKeys(Object.fromEntries(actions.map(({ key, by }) => [key, () => proceed(by)])));
  const { learning_rate, momentum } = job.config;
  const use = momentum ? "It is added to the velocity, of which the step subtracts" : "The step subtracts it";
  // A button that is disabled would lose the focus with every step.
  const button = ({ key, label, by }) => html`<button key=${key} type="button" class=${key === "s" ? "main" : ""} aria-disabled=${rest === null ? "true" : null} onClick=${() => proceed(by)}>${label} <kbd aria-hidden="true">${key.toUpperCase()}</kbd></button>`;
  return html`<div class="card stepwise">
    <h2>Step by step</h2>
    <div class="row">${actions.map(button)}</div>
    <p class="rest" role="status">${rest === null ? "Training." : `Paused before step ${number(rest)}, without a worker. It goes on by itself after 24 hours.`}</p>
    <${Numbers} job=${job} what="weight" path="weights?weights=last" nameOf=${nameOf}>Weights<//>
    <${Numbers} job=${job} what="gradient" path="gradient" nameOf=${nameOf}>Gradient of the next step. ${use}, times the learning rate ${learning_rate}<//>
  </div>`;
}

// A picture for each digit or hidden unit, drawn anew when the job rests at another step.
function Numbers({ job, what, path, nameOf, children }) {
  const rest = restOf(job);
  const kept = useRef(null);
  const load = async () => (rest === null ? kept.current : (kept.current = await get(`/jobs/${job.id}/${path}`)));
  const { data, problem } = useLoaded(load, [job.id, rest]);
  const matrix = useMemo(() => data && { rows: data.values.length, columns: data.outputs.length, values: data.values.flat() }, [data]);
  return html`<figure data-step=${data?.step}>
    <figcaption>${children}.</figcaption>
    ${problem && html`<p class="note">${problem.message}</p>`}
    ${matrix ? html`<${LayerTiles} matrix=${matrix} config=${job.config} nameOf=${nameOf} what=${what} isShared />` : html`<div class="weights-awaited"></div>`}
  </figure>`;
}

// acts: what each key does, outside of fields.
function useKeys(acts) {
  const newest = useNewest(acts);
  useEffect(() => {
    const pressed = (event) => {
      const isElsewhere = event.altKey || event.ctrlKey || event.metaKey || event.repeat || event.target.closest?.("input, select, textarea, dialog");
      const act = newest.current[event.key.toLowerCase()];
      if (!isElsewhere && act) act();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

// A job that is trained step by step: buttons and keys to pause and continue it, its weights, and the gradient of its next step.

import { number } from "../format.js";
import { html, useEffect, useNewest } from "../html.js";
import { Picture, WeightsFrame } from "../parts/picture.js";

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
export function PauseButton({ job: { state }, act }) {
  useKeys({ p: () => act("pause") });
  return ["queued", "running"].includes(state) && html`<button type="button" onClick=${() => act("pause")}>Pause <kbd aria-hidden="true">P</kbd></button>`;
}

export function Stepwise({ job, act }) {
  const rest = restOf(job);
  const proceed = (by) => rest !== null && act("continue", by);
  useKeys(Object.fromEntries(ACTIONS.map(({ key, by }) => [key, () => proceed(by)])));
  const { learning_rate, momentum } = job.config;
  const use = momentum ? "It is added to the velocity, of which the step subtracts" : "The step subtracts it";
  // A button that is disabled would lose the focus with every step.
  const button = ({ key, label, by }) => html`<button key=${key} type="button" class=${key === "s" ? "main" : ""} aria-disabled=${rest === null ? "true" : null} onClick=${() => proceed(by)}>${label} <kbd aria-hidden="true">${key.toUpperCase()}</kbd></button>`;
  return html`<div class="card stepwise">
    <h2>Step by step</h2>
    <div class="row">${ACTIONS.map(button)}</div>
    <p class="rest" role="status">${rest === null ? "Training." : `Paused before step ${number(rest)}, without a worker. It goes on by itself after 24 hours.`}</p>
    <${Drawn} job=${job} what="weights" query="weights=last&">Weights<//>
    <${Drawn} job=${job} what="gradient" query="">Gradient of the next step. ${use}, times the learning rate ${learning_rate}<//>
  </div>`;
}

// Drawn anew when the job rests at another step.
function Drawn({ job, what, query, children }) {
  const alt = `The ${what}, one picture for each digit or hidden unit: red is positive, blue negative`;
  return html`<figure>
    <figcaption>${children}.</figcaption>
    <${WeightsFrame}><${Picture} class="weights" path=${`/jobs/${job.id}/${what}.png?${query}upscale=4`} revision=${restOf(job)} alt=${alt} /><//>
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

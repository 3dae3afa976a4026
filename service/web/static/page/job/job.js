// A job during its training, and after.

import { get, post, postOnce } from "../api.js";
import { duration, moment, number, percent } from "../format.js";
import { html, useState } from "../html.js";
import { namesOf } from "../names.js";
import { Annotation, Heading } from "../parts/annotation.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLoaded } from "../parts/live.js";
import { Menu } from "../parts/menu.js";
import { Act } from "../parts/once.js";
import { FileLink, Picture } from "../parts/picture.js";
import { Badge, compareAddress } from "../parts/table.js";
import { settingsOf } from "../train/field.js";
import { address, go, isHidden } from "../url.js";
import { Curves } from "./curves.js";
import { History, Settings } from "./record.js";
import { isResumable, Resume } from "./resume.js";
import { isStepwise, PauseButton, Stepwise } from "./stepwise.js";
import { Travel } from "./travel.js";
import { useProgress } from "./progress.js";

const STATE_TEXTS = {
  queued: "Waiting for a free worker.",
  running: "Training.",
  paused: "Waiting to be continued.",
  cancelling: "Stopping after this step.",
  succeeded: "Done.",
  failed: "Failed.",
  cancelled: "Cancelled.",
};
const LOW_PATIENCE = 0.3; // of the checks that a run waits for a new lowest loss
const OVER = ["succeeded", "failed", "cancelled"];

export function Job({ params }) {
  const id = params.get("job");
  const load = async () => {
    const [job, table] = await Promise.all([get(`/jobs/${encodeURIComponent(id)}`), get("/hyperparameters")]);
    const nameOf = await get(`/datasets/${encodeURIComponent(job.config.dataset)}`).then(namesOf, () => String); // it may be damaged
    return { job, nameOf, defaults: Object.fromEntries(table.hyperparameters.map((row) => [row.name, row.default])) };
  };
  const { data, problem, isLost, again } = useLoaded(load, [id]);
  const name = data && (data.job.model?.name ?? data.job.config.name ?? data.job.config.model);
  const otherwise = data ? `Training ${name}` : "A training job";
  const isUnknown = problem?.status === 404 || problem?.status === 422;
  return html`
    <${Heading} id="job-title" path=${data && `/jobs/${data.job.id}`} title=${data?.job.title ?? ""} otherwise=${otherwise} changed=${again} />
    <${Lost} when=${isLost} />
    ${problem && html`<${Empty} href="/?view=jobs" label="See all jobs">${isUnknown ? "There is no such job: it was deleted, or ran on another server." : problem.message}<//>`}
    ${data && html`<${Watched} key=${id} ...${data} again=${again} />`}
  `;
}

function Watched({ job: first, nameOf, defaults, again }) {
  const { job, reload, checks, progress, isLost, isGone } = useProgress(first);
  const [past, setPast] = useState(null); // the step that is shown in the past
  const [problem, setProblem] = useState(null);
  const act = (path, body) => post(`/jobs/${job.id}/${path}`, body).then(reload, setProblem);
  const cancel = () => post(`/jobs/${job.id}/cancel`).catch(unlessOver);
  const verify = async () => go(address({ job: (await postOnce(`/jobs/${job.id}/verify`)).id }));
  const { config, model, state } = job;
  const isOver = OVER.includes(state) && job.finished_at;
  const latest = checks.at(-1) ?? job.metrics.latest;
  const interruption = isOver ? null : job.history.findLast((each) => each.state === "queued" && each.reason);
  if (isGone) return html`<${Empty} href="/?view=jobs" label="See all jobs">This job has been deleted.<//>`;
  const version = model && `${model.name}/${model.version}`;
  return html`
    <div class="card">
      <${Lost} when=${isLost} />
      <p class="state" role="status"><${Badge} state=${state} /> ${STATE_TEXTS[state]}</p>
      <p class="story">${isOver ? summaryOf(job) : latest && `Validation: loss ${latest.validation_loss.toFixed(4)}, accuracy ${percent(latest.validation_accuracy)}.`}</p>
      ${interruption && html`<p class="hint interruption">${moment(interruption.at)}: ${interruption.reason}</p>`}
      <div class="meters"><${Meters} job=${job} progress=${progress} isOver=${isOver} /></div>
      <p class="error" role="alert" hidden=${!problem}>${problem?.message}</p>
      <div class="row" hidden=${isHidden("actions")}>
        ${isOver && model && html`<a class="button main" href=${address({ view: "draw", model: version })}>Draw with it</a>`}
        ${isOver && model && html`<a class="button" href=${address({ view: "models", model: version })}>Look inside</a>`}
        ${!OVER.includes(state) && state !== "cancelling" && html`<${Act} act=${cancel}>Cancel<//>`}
        <${PauseButton} job=${job} act=${act} />
        <a class=${isOver && !model ? "button main" : "button"} href=${address({ view: "train", ...settingsOf(config, defaults) })}>Use these settings</a>
        <${Menu} label="More">
          ${job.sweep && html`<a class="button" href=${address({ sweep: job.sweep })}>See its sweep</a>`}
          <a class="button" href=${compareAddress([job.id])}>Compare with others</a>
          ${latest && html`<${FileLink} path=${`/jobs/${job.id}/metrics?format=csv`} name=${`${config.name ?? config.model}-${job.id}.csv`}>Save its metrics (.csv)<//>`}
          ${isOver && isResumable(job) && html`<${Resume} job=${job} />`}
          ${isOver && model && html`<${Act} act=${verify}>Train it again and compare the bits<//>`}
          ${isOver && html`<${Delete} paths=${[`/jobs/${job.id}`]} title="Delete this job?" words="Its curves and its weights at each check are lost. The version that it made stays." done=${() => go(address({ view: "jobs" }))} />`}
        <//>
      </div>
    </div>
    ${isStepwise(job) && html`<${Stepwise} job=${job} nameOf=${nameOf} act=${act} />`}
    <${Curves} job=${job} checks=${checks} past=${past} isOver=${isOver} />
    <${Travel} job=${job} checks=${checks} nameOf=${nameOf} setPast=${setPast} isOver=${isOver} />
    ${config.hidden_layers?.length > 0 && model && isOver && html`<${Architecture} model=${model} nLayers=${config.hidden_layers.length + 2} />`}
    <${Annotation} path=${`/jobs/${job.id}`} kind="jobs" view="jobs" tags=${first.tags} notes=${first.notes} changed=${again} />
    <${Settings} config=${config} defaults=${defaults} />
    <${History} job=${job} />
  `;
}

// It may have ended meanwhile.
function unlessOver(problem) {
  if (problem.type !== "invalid-job-transition") throw problem;
}

// nLayers: pixels and outputs included.
export function Architecture({ model: { name, version }, nLayers }) {
  const path = `/models/${encodeURIComponent(name)}/versions/${version}/architecture.svg`;
  return html`<figure class="card architecture">
    <${Picture} class="weights" path=${path} width=${170 * nLayers} height="398" alt=${`The layers of ${name}, version ${version}, with their units and numbers of parameters`} />
    <div class="row"><${FileLink} path=${path} name=${`${name}-${version}.svg`}>Save as SVG<//></div>
  </figure>`;
}

// progress: of the newest check. An epoch is counted from 1 for people.
function Meters({ job, progress, isOver }) {
  const { patience, epochs } = job.config;
  const { epoch, step, eta_s, patience_left } = progress ?? {};
  const fraction = isOver ? job.progress.fraction : progress?.fraction; // the last check may be before the last step
  const isEarly = isOver && job.stop_reason === "early_stopping";
  const eta = !isOver && job.state !== "paused" && eta_s > 0 && fraction < 1 ? `, at most ${duration(eta_s)} left` : "";
  const where = progress && `epoch ${number(epoch + 1)} of ${number(epochs)}, step ${number(step)}`;
  const share = isEarly ? "stopped early" : `${Math.round(100 * fraction)} %`;
  return html`
    <${Meter} label="Progress" kind=${isEarly ? "early" : ""} fraction=${isEarly ? 1 : fraction}>${progress ? `${share} — ${where}${eta}` : "–"}<//>
    ${patience !== null && html`<${Meter} label="Patience left" kind=${patience_left <= LOW_PATIENCE * patience ? "low" : "patience"} fraction=${progress ? patience_left / patience : 0}>${progress ? `${patience_left} of ${patience} checks` : "–"}<//>`}
  `;
}

const Meter = ({ label, kind, fraction = 0, children }) => html`<div class="meter">
  <span class="name">${label}</span><span class="value">${children}</span>
  <progress max="1" value=${fraction} class=${kind} aria-label=${label}></progress>
</div>`;

// Why the run ended, and its best check.
function summaryOf({ metrics: { best, latest }, stop_reason, config, state, error, model, verification }) {
  if (verification?.outcome) {
    const { name, version } = verification.model;
    const again = `${name}, version ${version}, was trained again from its record`;
    return verification.outcome.identical ? `${again}: the weights are identical, bit for bit.` : `${again}: the weights differ, because the processor or the software is different.`;
  }
  if (error) return `${error.message ?? error.detail ?? error} Use these settings and try other values.`;
  if (!best) return state === "cancelled" ? "Cancelled before the first check." : "";
  const where = `step ${number(best.step)} (epoch ${number(best.epoch + 1)}), with a validation loss of ${best.validation_loss.toFixed(4)} and an accuracy of ${percent(best.validation_accuracy)}`;
  const which = model ? ` The weights were saved as ${model.name}, version ${model.version}.` : "";
  if (stop_reason === "early_stopping") {
    return `Early stopping ended the run at step ${number(latest.step)}: the best check was at ${where}, and ${config.patience} more checks found no lower loss.${which}`;
  }
  if (stop_reason === "cancelled") return `Cancelled at step ${number(latest.step)}; the best check was at ${where}.${which}`;
  return `All epochs are complete; the best check was at ${where}.${which}`;
}

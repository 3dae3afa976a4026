// More epochs for a finished job: a new job that continues from its end.

import { postOnce } from "../api.js";
import { html, useState } from "../html.js";
import { Refusal, useOnce } from "../parts/once.js";
import { address, go } from "../url.js";

const MOST_EPOCHS = 10_000;

// Whether it can be trained on.
export const isResumable = ({ metrics, stop_reason, verification }) => metrics.latest && stop_reason !== "non_finite_loss" && !verification;

// After all its epochs, as many again are suggested; after early stopping, more patience is needed, too.
export function Resume({ job: { id, config, stop_reason } }) {
  const [epochs, setEpochs] = useState(String(stop_reason === "max_epochs" ? Math.min(MOST_EPOCHS, 2 * config.epochs) : config.epochs));
  const { start, isBusy, problem } = useOnce();
  const more = stop_reason === "early_stopping" ? { patience: 2 * config.patience } : {};
  const submit = (event) => {
    event.preventDefault();
    start(async () => go(address({ job: (await postOnce(`/jobs/${id}/resume`, { epochs: Number(epochs), ...more })).id })));
  };
  return html`<form class="row resume" onSubmit=${submit}>
    <label for="resume-epochs">Continue to epoch</label>
    <input type="text" id="resume-epochs" inputmode="numeric" autocomplete="off" value=${epochs} onInput=${(event) => setEpochs(event.target.value)} />
    <button type="submit" disabled=${isBusy}>${more.patience ? `Resume with a patience of ${more.patience}` : "Resume"}</button>
    <${Refusal} problem=${problem} />
  </form>`;
}

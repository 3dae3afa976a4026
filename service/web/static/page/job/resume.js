// More epochs for a finished job: a new job that continues from its end.

import { post } from "../api.js";
import { html, useState } from "../html.js";
import { address, go } from "../url.js";

const MOST_EPOCHS = 10_000;

// After all its epochs, as many again are suggested; after early stopping, more patience is needed, too.
export function Resume({ job: { id, config, metrics, stop_reason, verification }, showProblem }) {
  const [epochs, setEpochs] = useState(String(stop_reason === "max_epochs" ? Math.min(MOST_EPOCHS, 2 * config.epochs) : config.epochs));
  const [isBusy, setBusy] = useState(false);
  if (!metrics.latest || stop_reason === "non_finite_loss" || verification) return null;
  const more = stop_reason === "early_stopping" ? { patience: 2 * config.patience } : {};
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      go(address({ job: (await post(`/jobs/${id}/resume`, { epochs: Number(epochs), ...more })).id }));
    } catch (problem) {
      showProblem(problem);
      setBusy(false);
    }
  };
  return html`<form class="row resume" onSubmit=${submit}>
    <label for="resume-epochs">Continue to epoch</label>
    <input type="text" id="resume-epochs" inputmode="numeric" autocomplete="off" value=${epochs} onInput=${(event) => setEpochs(event.target.value)} />
    <button type="submit" disabled=${isBusy}>${more.patience ? `Resume with a patience of ${more.patience}` : "Resume"}</button>
  </form>`;
}

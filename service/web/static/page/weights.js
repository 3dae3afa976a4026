// The weights of a job that trains, drawn anew as checkpoints arrive, without a flicker.

import { send } from "./api.js";
import { element, weightsFrame } from "./element.js";

const EVERY_MS = 1000;
const FIRST_MS = 600;

export class LiveWeights {
  constructor(jobId) {
    this.jobId = jobId;
    this.image = element("img", { class: "weights", alt: "", hidden: true });
    this.waiting = element("p", { class: "hint" }, "They appear with the first checkpoint.");
    const caption = element("figcaption", {}, "What it has learned: ink on red speaks for the digit, ink on blue against it");
    this.node = element("figure", { class: "card" }, caption, weightsFrame(this.image), this.waiting);
  }

  // Something has been learned up to this step.
  learned(step, isOver = false) {
    this.step = step;
    this.isOver ||= isOver;
    clearTimeout(isOver ? this.timer : null);
    if (!this.timer || isOver) this.timer = setTimeout(() => this.#load(), this.image.hidden ? FIRST_MS : EVERY_MS);
  }

  close() {
    clearTimeout(this.timer);
    this.isClosed = true;
    if (this.image.src) URL.revokeObjectURL(this.image.src);
  }

  async #load() {
    this.timer = null;
    const step = this.step;
    try {
      const answer = await send(`/jobs/${this.jobId}/weights.png?weights=last&scale=per_tile&upscale=4`, { cache: "no-cache" });
      if (!this.isClosed) this.#show(await answer.blob(), step);
    } catch {
      // The next check asks again.
    }
  }

  #show(file, step) {
    const old = this.image.src;
    this.image.src = URL.createObjectURL(file);
    if (old) URL.revokeObjectURL(old);
    this.image.alt = `The weights after step ${step}, one picture for each digit: red where ink speaks for it, blue where it speaks against it`;
    this.image.hidden = false;
    this.waiting.hidden = true;
  }
}

// Keeps a part of the page up to date, and shows a note while the server cannot be reached.

import { element } from "./element.js";

const EVERY_MS = 1000;
const NEVER = [400, 401, 403, 404, 422];

export const lostNote = () =>
  element("p", { class: "note", role: "status", hidden: true }, "The server cannot be reached. Retrying.");

// load(isLeft): fetches and draws, and returns whether to poll on. none(problem): shown where there is nothing to load.
export function keepFresh(place, load, none) {
  const note = lostNote();
  let timer = null;
  let isLeft = false;

  async function round() {
    try {
      const isMore = await load(() => isLeft);
      note.remove();
      if (isMore && !isLeft) timer = setTimeout(round, EVERY_MS);
    } catch (problem) {
      if (isLeft) return;
      if (NEVER.includes(problem.status)) place.replaceChildren(none(problem));
      else {
        if (!problem.status && !problem.isTransient) throw problem;
        note.hidden = false;
        place.prepend(note);
        timer = setTimeout(round, EVERY_MS);
      }
    }
  }

  const again = () => {
    clearTimeout(timer);
    return round();
  };
  const stop = () => {
    isLeft = true;
    clearTimeout(timer);
  };
  round();
  return { again, stop };
}

// What the API answers, loaded once or again and again, and what is shown when it cannot be.

import { html, useEffect, useRef, useState } from "../html.js";

const EVERY_MS = 1000;
const NOTHING = { data: null, problem: null, isLost: false };

// load(): resolves to [data, whether to ask again]. {data, problem, isLost: whether the server is away, again()}
export function useLive(load, inputs) {
  const [state, setState] = useState(NOTHING);
  const again = useRef(() => {});
  useEffect(() => {
    let timer = null;
    let isLeft = false;
    let n_rounds = 0;
    const round = async () => {
      clearTimeout(timer);
      const number = ++n_rounds;
      const isOld = () => isLeft || number !== n_rounds; // a later one has begun, whose answer may have come already
      let isMore = true;
      try {
        const [data, isUnfinished] = await load();
        isMore = isUnfinished;
        if (!isOld()) setState({ ...NOTHING, data });
      } catch (problem) {
        if (isOld()) return;
        if (problem.status === undefined) throw problem;
        isMore = problem.isTransient;
        setState((state) => (isMore ? { ...state, isLost: true } : { ...NOTHING, problem }));
      }
      if (isMore && !isOld()) timer = setTimeout(round, EVERY_MS);
    };
    again.current = round;
    round();
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, inputs);
  return { ...state, again: () => again.current() };
}

// What is loaded once.
export const useLoaded = (load, inputs) => useLive(async () => [await load(), false], inputs);

export const Lost = ({ when }) => when && html`<p class="note" role="status">The server cannot be reached. Retrying.</p>`;

export const Empty = ({ href, label, children }) => html`<div class="card empty">
  <p>${children}</p>
  <a class="button main" href=${href}>${label}</a>
</div>`;

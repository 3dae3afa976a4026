// What a button or a form starts, and no second time while it lasts: two clicks would make two jobs.

import { html, useRef, useState } from "../html.js";

// {start(act), isBusy, problem: with which the last one was refused}
export function useOnce() {
  const isRunning = useRef(false);
  const [state, setState] = useState({ isBusy: false, problem: null });
  const start = async (act) => {
    if (isRunning.current) return;
    isRunning.current = true;
    setState({ isBusy: true, problem: null });
    const problem = await act().then(() => null, (refused) => refused);
    isRunning.current = false;
    setState({ isBusy: false, problem });
  };
  return { start, ...state };
}

export const Refusal = ({ problem }) => problem && html`<p class="error" role="alert">${problem.message}</p>`;

// A button that says beside it why its act was refused.
export function Act({ act, disabled = false, children, ...attributes }) {
  const { start, isBusy, problem } = useOnce();
  return html`<button type="button" disabled=${disabled || isBusy} onClick=${() => start(act)} ...${attributes}>${children}</button>
    ${problem && html`<span class="error" role="alert">${problem.message}</span>`}`;
}

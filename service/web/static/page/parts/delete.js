// Deletes something, after asking what would be lost. What needs it is named if it cannot be deleted.

import { send } from "../api.js";
import { html, useState } from "../html.js";
import { confirmed } from "./dialog.js";

// paths: of what is deleted, one after the other. title: a question. words: what is lost, and what stays. done(): called at the end.
export function Delete({ paths, title, words, label = "Delete", done }) {
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const click = async () => {
    if (!(await confirmed(title, words, "Delete"))) return;
    setBusy(true);
    try {
      for (const path of paths) await send(path, { method: "DELETE" });
      done();
    } catch (refused) {
      setProblem(refused);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class="danger" disabled=${isBusy} onClick=${click}>${label}</button>
    ${problem && html`<span class="error" role="alert">${problem.message}</span>`}`;
}

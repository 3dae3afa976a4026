// Deletes something, after asking what would be lost. What needs it is named if it cannot be deleted.

import { send } from "../api.js";
import { html } from "../html.js";
import { confirmed } from "./dialog.js";
import { Act } from "./once.js";

// paths: of what is deleted, one after the other. title: a question. words: what is lost, and what stays. done(): called at the end.
export function Delete({ paths, title, words, label = "Delete", done }) {
  const act = async () => {
    if (!(await confirmed(title, words, "Delete"))) return;
    for (const path of paths) await send(path, { method: "DELETE" });
    await done();
  };
  return html`<${Act} class="danger" act=${act}>${label}<//>`;
}

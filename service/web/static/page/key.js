// The API key of this tab, if the server requires one: asked for once, sent in a header, deleted when the tab is closed.

import { html, render } from "./html.js";

const STORAGE_KEY = "inkling-key";
let pending = null;

export const storedKey = () => sessionStorage.getItem(STORAGE_KEY);

// Several requests may be rejected at once; all of them wait for one dialog. Returns whether there is another key now.
export async function askForKey(rejected) {
  if (storedKey() !== rejected) return true;
  pending ??= ask(rejected).finally(() => (pending = null));
  return pending;
}

function ask(rejected) {
  const place = document.body.appendChild(document.createElement("div"));
  const words = rejected ? "The server rejected this key. Try another one." : "This server requires an API key. Ask its operator for one.";
  return new Promise((resolve) => {
    const close = ({ currentTarget: dialog }) => {
      const key = dialog.querySelector("input").value.trim();
      const isGiven = dialog.returnValue === "use" && key !== "";
      if (isGiven) sessionStorage.setItem(STORAGE_KEY, key);
      place.remove();
      resolve(isGiven);
    };
    const dialog = html`<dialog class="card" aria-labelledby="key-title" onClose=${close}>
      <form method="dialog">
        <h2 id="key-title">API key</h2>
        <p>${words}</p>
        <label for="key">Key</label>
        <input type="password" id="key" autocomplete="off" spellcheck="false" required />
        <p class="hint">The key is kept in this tab only, until you close it.</p>
        <div class="row"><button class="main" value="use">Use this key</button><button value="no" formnovalidate>Not now</button></div>
      </form>
    </dialog>`;
    render(dialog, place);
    place.querySelector("dialog").showModal();
  });
}

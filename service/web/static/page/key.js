// The API key of this tab, if the server requires one: asked for once, or brought by a link, sent in a header, deleted when the tab is closed.

import { html } from "./html.js";
import { ask as askInDialog } from "./parts/dialog.js";

const STORAGE_KEY = "inkling-key";
const WRITTEN = /^[!-~]+$/; // what can be sent in a header
let pending = null;

export const storedKey = () => sessionStorage.getItem(STORAGE_KEY);

// Keeps the key of a link, as that of a class: #key=. Servers are not sent what follows #, and the address is shown without it.
export function takeKey() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key === null) return;
  if (WRITTEN.test(key)) sessionStorage.setItem(STORAGE_KEY, key);
  history.replaceState(null, "", location.pathname + location.search);
}

// Several requests may be rejected at once; all of them wait for one dialog. Returns whether there is another key now.
export async function askForKey(rejected) {
  if (storedKey() !== rejected) return true;
  pending ??= ask(rejected).finally(() => (pending = null));
  return pending;
}

async function ask(rejected) {
  const words = rejected ? "The server rejected this key. Try another one." : "This server requires an API key. Ask its operator for one.";
  let key = "";
  const answer = await askInDialog("API key", html`<p>${words}</p>
    <label for="key">Key</label>
    <input type="password" id="key" autocomplete="off" spellcheck="false" pattern="[!-~]+" title="Letters, digits, - and _" required onInput=${(event) => (key = event.target.value.trim())} />
    <p class="hint">The key is kept in this tab only, until you close it.</p>
    <div class="row"><button class="main" value="use">Use this key</button><button value="no" formnovalidate>Not now</button></div>`);
  const isGiven = answer === "use" && key !== "";
  if (isGiven) sessionStorage.setItem(STORAGE_KEY, key);
  return isGiven;
}

// The API key of this tab, if the server requires one: asked for once, sent in a header, deleted when the tab is closed.

import { element } from "./element.js";

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
  const input = element("input", { type: "password", id: "key", autocomplete: "off", spellcheck: "false", required: true });
  const words = rejected ? "The server rejected this key. Try another one." : "This server requires an API key. Ask its operator for one.";
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "key-title" }, "API key"),
    element("p", {}, words),
    element("label", { for: "key" }, "Key"),
    input,
    element("p", { class: "hint" }, "The key is kept in this tab only, until you close it."),
    element(
      "div",
      { class: "row" },
      element("button", { class: "main", value: "use" }, "Use this key"),
      element("button", { value: "no", formnovalidate: true }, "Not now"),
    ),
  );
  const dialog = element("dialog", { class: "card", "aria-labelledby": "key-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const key = input.value.trim();
      const isGiven = dialog.returnValue === "use" && key !== "";
      if (isGiven) sessionStorage.setItem(STORAGE_KEY, key);
      dialog.remove();
      resolve(isGiven);
    });
  });
}

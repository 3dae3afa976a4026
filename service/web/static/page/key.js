// The key of this tab, if the server wants one: asked for once, sent in a header, forgotten when the tab is closed.

import { element } from "./element.js";

const PLACE = "inkling-key";
let asked = null;

export const heldKey = () => sessionStorage.getItem(PLACE);

// Several requests may be refused at once; all of them wait for one answer. Says whether there is another key now.
export async function askForKey(refused) {
  if (heldKey() !== refused) return true;
  asked ??= ask(refused).finally(() => (asked = null));
  return asked;
}

function ask(refused) {
  const input = element("input", { type: "password", id: "key", autocomplete: "off", spellcheck: "false", required: true });
  const words = refused ? "The server does not take that key. Try another one." : "This server answers only with a key. Whoever runs it has one for you.";
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "key-title" }, "A key, please"),
    element("p", {}, words),
    element("label", { for: "key" }, "Key"),
    input,
    element("p", { class: "hint" }, "It is kept in this tab only, until you close it."),
    element(
      "div",
      { class: "row" },
      element("button", { class: "main", value: "use" }, "Use it"),
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
      if (isGiven) sessionStorage.setItem(PLACE, key);
      dialog.remove();
      resolve(isGiven);
    });
  });
}

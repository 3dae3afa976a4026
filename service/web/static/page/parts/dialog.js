// A dialog over the page, which Escape closes, and a question that is asked in one.

import { html, render, useLayoutEffect, useRef } from "../html.js";

// close(value): called when it is closed, with the value of the button that closed it.
export function Dialog({ title, close, children }) {
  const dialog = useRef(null);
  useLayoutEffect(() => dialog.current.showModal(), []);
  return html`<dialog class="card" ref=${dialog} aria-labelledby="dialog-title" onClose=${() => close(dialog.current.returnValue)}>
    <form method="dialog"><h2 id="dialog-title">${title}</h2>${children}</form>
  </dialog>`;
}

// Shows a dialog until it is closed; resolves to the value of the button that closed it.
export function ask(title, children) {
  const place = document.body.appendChild(document.createElement("div"));
  return new Promise((resolve) => {
    const close = (value) => {
      resolve(value);
      render(null, place);
      place.remove();
    };
    render(html`<${Dialog} title=${title} close=${close}>${children}<//>`, place);
  });
}

// Whether an act is wanted that loses something, or makes something worse. label: of the button that confirms it.
export async function confirmed(title, words, label) {
  const buttons = html`<div class="row"><button class="main" value="yes">${label}</button><button value="no" autofocus>Cancel</button></div>`;
  return (await ask(title, html`<p>${words}</p>${buttons}`)) === "yes";
}

// Buttons and links that are needed seldom, behind one. A click elsewhere closes it, and Escape, which returns the focus.

import { html, useEffect, useRef } from "../html.js";

export function Menu({ label, children }) {
  const menu = useRef(null);
  useEffect(() => {
    const isElsewhere = (event) => !event.target.closest?.("dialog") && !menu.current.contains(event.target);
    const pointed = (event) => isElsewhere(event) && (menu.current.open = false);
    document.addEventListener("pointerdown", pointed);
    return () => document.removeEventListener("pointerdown", pointed);
  }, []);
  const pressed = (event) => {
    if (event.key !== "Escape" || !menu.current.open) return;
    menu.current.open = false;
    menu.current.firstElementChild.focus();
  };
  return html`<details class="menu" ref=${menu} onKeyDown=${pressed}>
    <summary class="button">${label}</summary>
    <div class="card" role="group" aria-label=${label}>${children}</div>
  </details>`;
}

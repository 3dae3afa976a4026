// Elements as expressions: element("p", {class: "hint"}, "text", child).

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

// Shows something new in place of the old. The focus is kept, if its element still exists; tables stay scrolled.
export function redraw(place, ...children) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const scrolled = [...place.querySelectorAll(".scroll")].map((part) => part.scrollLeft);
  place.replaceChildren(...children);
  place.querySelectorAll(".scroll").forEach((part, i) => (part.scrollLeft = scrolled[i] ?? 0));
  if (focused) [...place.querySelectorAll(focused.localName)].find((each) => isSame(each, focused))?.focus({ preventScroll: true });
}

const isSame = (one, other) =>
  ["id", "href", "aria-label"].every((name) => one.getAttribute(name) === other.getAttribute(name)) && (one.matches("[id], [aria-label]") || one.textContent === other.textContent);

export function emptyState(text, href, label) {
  return element("div", { class: "card empty" }, element("p", {}, text), element("a", { class: "button main", href }, label));
}

// A picture of weights, which a narrow screen can scroll.
export function weightsFrame(image) {
  return element("div", { class: "frame", tabindex: "0", role: "region", "aria-label": "Weights" }, image);
}

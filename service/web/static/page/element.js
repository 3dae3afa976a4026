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

export function emptyState(text, href, label) {
  return element("div", { class: "card empty" }, element("p", {}, text), element("a", { class: "button main", href }, label));
}

// A picture of weights, which a narrow screen can scroll.
export function weightsFrame(image) {
  return element("div", { class: "frame", tabindex: "0", role: "region", "aria-label": "Weights" }, image);
}

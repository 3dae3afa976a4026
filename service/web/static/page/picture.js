// Pictures and files of the API. They are fetched like everything else, so that a key need not stand in an address.

import { send } from "./api.js";
import { element } from "./element.js";

let held = [];

// An image that fills itself; what cannot be had says why in its place.
export function picture(path, attributes) {
  const image = element("img", attributes);
  fill(image, path).catch((problem) => image.replaceWith(element("p", { class: "hint" }, problem.message)));
  return image;
}

export async function fill(image, path) {
  const file = await (await send(path, { cache: "no-cache" })).blob();
  image.src = URL.createObjectURL(file);
  held.push(image.src);
  await image.decode();
}

// What an earlier part of the page has shown need not be kept.
export function forgetPictures() {
  for (const address of held) URL.revokeObjectURL(address);
  held = [];
}

// A link that saves a file, or opens it if it has no name.
export function fileLink(path, label, { name, ...attributes } = {}) {
  const link = element("a", { class: "button", href: `/api/v1${path}`, ...attributes }, label);
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      const address = URL.createObjectURL(await (await send(path)).blob());
      held.push(address);
      if (name) element("a", { href: address, download: name }).click();
      else open(address, "_blank");
    } catch (problem) {
      link.after(element("span", { class: "error", role: "alert" }, problem.message));
    }
  });
  return link;
}

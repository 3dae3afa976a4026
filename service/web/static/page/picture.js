// Pictures and files of the API. They are fetched like everything else, so that no address contains a key.

import { send } from "./api.js";
import { element } from "./element.js";

let objectUrls = [];

// An image that loads itself; if it cannot, the reason stands in its place.
export function picture(path, attributes) {
  const image = element("img", attributes);
  fill(image, path).catch((problem) => image.replaceWith(element("p", { class: "hint" }, problem.message)));
  return image;
}

export async function fill(image, path) {
  const file = await (await send(path, { cache: "no-cache" })).blob();
  image.src = URL.createObjectURL(file);
  objectUrls.push(image.src);
  await image.decode();
}

// Releases the pictures of an earlier part of the page.
export function releasePictures() {
  for (const address of objectUrls) URL.revokeObjectURL(address);
  objectUrls = [];
}

// A link that saves a file, or opens it if it has no name.
export function fileLink(path, label, { name, ...attributes } = {}) {
  const link = element("a", { class: "button", href: `/api/v1${path}`, ...attributes }, label);
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      const address = URL.createObjectURL(await (await send(path)).blob());
      objectUrls.push(address);
      if (name) element("a", { href: address, download: name }).click();
      else open(address, "_blank");
    } catch (problem) {
      link.after(element("span", { class: "error", role: "alert" }, problem.message));
    }
  });
  return link;
}

// Test images, each with its true and its predicted class; a click opens the explanation.

import { percent } from "./bars.js";
import { element } from "./element.js";
import { picture } from "./picture.js";
import { address } from "./url.js";

export function gallery(images, dataset, name, version, nameOf) {
  return element("ul", { class: "gallery" }, images.map((image) => shown(image, dataset, name, version, nameOf)));
}

function shown({ index, true: label, predicted, probability }, dataset, name, version, nameOf) {
  const words = `${nameOf(label)} classified as ${nameOf(predicted)}`;
  const path = `/datasets/${encodeURIComponent(dataset)}/images/${index}.png?part=test&upscale=3`;
  const image = picture(path, { width: 84, height: 84, alt: `Test image ${index}: a ${words}` });
  const why = address({ view: "draw", model: `${name}/${version}`, image: `${dataset}/test/${index}` });
  return element("li", {}, element("a", { href: why }, image, element("span", {}, words), element("span", { class: "hint" }, `${percent(probability)} sure`)));
}

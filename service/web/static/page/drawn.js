// The digit that was drawn last in this tab, as the input of the model: 784 grey levels. Without one, a test image.

import { get, send } from "./api.js";
import { SIDE } from "./pixels.js";

const STORAGE_KEY = "inkling-drawn";

export function keepDrawn(pixels) {
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify(pixels));
}

// {pixels, isDrawn}. The test image is of a class of the model.
export async function lastDrawn(dataset, label) {
  const kept = sessionStorage.getItem(STORAGE_KEY);
  if (kept) return { pixels: JSON.parse(kept), isDrawn: true };
  const path = `/datasets/${encodeURIComponent(dataset)}/images`;
  const [{ index }] = (await get(`${path}?part=test&limit=1&label=${label}`)).images;
  const answer = await send(`${path}/${index}.png?part=test`);
  const bitmap = await createImageBitmap(await answer.blob());
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  return { pixels: Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i]), isDrawn: false };
}

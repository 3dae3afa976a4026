// A picture of 28x28 numbers, drawn on a canvas whenever one of its inputs has changed.

import { html, useLayoutEffect, useRef } from "../html.js";
import { clearPicture, drawGrey, drawShares, enlarge, outline } from "../pixels.js";

// draw(canvas): draws the inputs.
export function Canvas({ draw, inputs, ...attributes }) {
  const canvas = useRef(null);
  useLayoutEffect(() => draw(canvas.current), inputs);
  return html`<canvas ref=${canvas} width="28" height="28" ...${attributes}></canvas>`;
}

// Grey levels; nothing without pixels.
export const Grey = ({ pixels, ...attributes }) =>
  html`<${Canvas} draw=${(canvas) => (pixels ? drawGrey(canvas, pixels) : clearPicture(canvas))} inputs=${[pixels]} ...${attributes} />`;

// Values around zero. largest: that of the strongest colour. ink: pixels whose edge is drawn over them. scale: enlargement.
export function Shares({ values, largest = undefined, ink = null, scale = 4, ...attributes }) {
  const draw = (canvas) => {
    if (!values) return clearPicture(canvas);
    drawShares(canvas, values, largest);
    if (!ink) return;
    enlarge(canvas, scale);
    outline(canvas, ink);
  };
  return html`<${Canvas} draw=${draw} inputs=${[values, largest, ink]} ...${attributes} />`;
}

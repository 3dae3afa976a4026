// A QR code: black on white in any theme, as not every reader takes the inverse. Apart, because its library is seldom needed.

import { html, useLayoutEffect, useRef } from "../html.js";
// @ts-types="../../lean-qr/types.d.ts"
import { generate } from "../../lean-qr/lean-qr.js";

const BORDER = 4; // modules of white, which the standard demands

export function QrCode({ text, label }) {
  const canvas = useRef(null);
  useLayoutEffect(() => {
    generate(text).toCanvas(canvas.current, { on: [0, 0, 0], off: [255, 255, 255], padX: BORDER, padY: BORDER });
  }, [text]);
  return html`<canvas class="qr-code" ref=${canvas} role="img" aria-label=${label}></canvas>`;
}

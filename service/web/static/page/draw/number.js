// Several digits in one picture, which are read as a number, with a box over each.

import { percent } from "../format.js";
import { html } from "../html.js";
import { PAPER, penFor, SENT } from "./ink.js";

// The boxes of a reading as shares of the side of the paper: strokes fill it, and are thicker than those that were sent; a picture is fitted into it.
export function boxesOf({ lines }, { bitmap, strokes }) {
  const { width, height } = bitmap ?? { width: SENT, height: SENT };
  const side = Math.max(width, height);
  const pen = bitmap ? 0 : Math.max(...strokes.map((stroke) => (stroke.isEraser ? 0 : stroke.width)));
  const room = bitmap ? 0 : (pen * (1 - penFor(strokes)) * SENT) / PAPER / 2;
  const [left, top] = [(side - width) / 2 - room, (side - height) / 2 - room];
  const placed = ([x, y, w, h]) => [x + left, y + top, w + 2 * room, h + 2 * room].map((each) => each / side);
  return lines.flatMap(({ digits }) => digits).map(({ box, ...digit }) => ({ ...digit, box: placed(box) }));
}

export const Boxes = ({ boxes }) => html`<ol class="boxes" aria-hidden="true">${boxes.map(boxed)}</ol>`;

function boxed({ class_name: name, verdict, box: [x, y, w, h] }, i) {
  const percents = { left: x, top: y, width: w, height: h };
  const style = Object.fromEntries(Object.entries(percents).map(([side, share]) => [side, `${100 * share}%`]));
  return html`<li key=${i} style=${style}><b class=${verdict === "digit" ? "" : "unsure"}>${name}</b></li>`;
}

// What was read, line by line, and how sure each digit is.
export function Reading({ reading: { lines } }) {
  const digits = lines.flatMap((line) => line.digits);
  const isSure = digits.every(({ verdict }) => verdict === "digit");
  const texts = lines.map(({ text }) => text);
  return html`<strong class=${`several ${isSure ? "" : "unsure"}`}>${texts.join("\n")}</strong>
    <span>${digits.length} digits: ${digits.map((digit) => `${digit.class_name} (${percent(digit.probability)})`).join(", ")}</span>`;
}

// A drawing as strokes: how it is kept in an address, drawn on a canvas, and sent.
// A stroke is {width, isEraser, points}: its points are [x, y] in whole units of the paper.

export const PAPER = 560; // units in a side of the paper
export const SENT = 280; // pixels in a side of the picture that is sent
export const WIDTHS = { thin: 26, medium: 40, thick: 56 }; // pens, in units

const SPACING = 8; // points nearer than this to the last one are left out
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const REACH = 31; // the largest difference that one letter holds
const USUAL = 400; // units in the longer side of a stroke for which the pens are made

/** @param {Stroke[]} strokes */
export const hasInk = (strokes) => strokes.some((stroke) => !stroke.isEraser);

/** @typedef {{width: number, isEraser: boolean, points: number[][]}} Stroke */

// A stroke with one more point; a far one is reached in steps that an address can hold.
/** @param {Stroke} stroke @param {number[]} point @returns {Stroke} */
export function extended(stroke, [x, y]) {
  const inside = (value) => Math.min(PAPER, Math.max(0, Math.round(value)));
  const to = [inside(x), inside(y)];
  const from = stroke.points.at(-1);
  if (!from) return { ...stroke, points: [to] };
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  if (Math.hypot(dx, dy) < SPACING) return stroke;
  const steps = Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)) / REACH);
  const between = Array.from({ length: steps }, (_, i) => [from[0] + Math.round((dx * (i + 1)) / steps), from[1] + Math.round((dy * (i + 1)) / steps)]);
  return { ...stroke, points: [...stroke.points, ...between] };
}

// As text: for each stroke "p" or "e", its width and first point in two letters a number, then a letter for each difference.
/** @param {Stroke[]} strokes */
export function written(strokes) {
  const two = (value) => LETTERS[value >> 6] + LETTERS[value & 63];
  return strokes
    .map(({ width, isEraser, points }) => {
      const differences = points.slice(1).map(([x, y], i) => LETTERS[x - points[i][0] + REACH] + LETTERS[y - points[i][1] + REACH]);
      return [isEraser ? "e" : "p", ...[width, ...points[0]].map(two), ...differences].join("");
    })
    .join(".");
}

// Text that is damaged gives the strokes before the damage.
/** @param {string} text @returns {Stroke[]} */
export function read(text) {
  const strokes = [];
  for (const part of text.split(".")) {
    const values = [...part.slice(1)].map((letter) => LETTERS.indexOf(letter));
    if (!/^[pe]/.test(part) || values.length < 6 || values.length % 2 || values.includes(-1)) break;
    const [width, x, y] = [0, 2, 4].map((i) => 64 * values[i] + values[i + 1]);
    const points = [[x, y]];
    for (let i = 6; i < values.length; i += 2) {
      const [before, after] = points.at(-1);
      points.push([before + values[i] - REACH, after + values[i + 1] - REACH]);
    }
    strokes.push({ width, isEraser: part[0] === "e", points });
  }
  return strokes;
}

// Draws strokes in black on white: curves through the middles between points.
/** @param {HTMLCanvasElement} canvas @param {Stroke[]} strokes */
export function paint(canvas, strokes, pen = 1) {
  const context = canvas.getContext("2d");
  const scale = canvas.width / PAPER;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.lineCap = context.lineJoin = "round";
  for (const { width, isEraser, points } of strokes) {
    context.strokeStyle = isEraser ? "#fff" : "#111";
    context.lineWidth = isEraser ? width : width * pen;
    context.beginPath();
    context.moveTo(points[0][0], points[0][1]);
    points.slice(1, -1).forEach(([x, y], i) => {
      const [nextX, nextY] = points[i + 2];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    });
    const [endX, endY] = points.at(-1);
    context.lineTo(endX, endY);
    context.stroke();
  }
}

// How much thicker or thinner the pen is in the picture that is sent: as thick beside the longest stroke as it usually is.
/** @param {Stroke[]} strokes */
export function penFor(strokes) {
  const sides = strokes.filter((stroke) => !stroke.isEraser).map(({ points }) => {
    const side = (axis) => Math.max(...points.map((point) => point[axis])) - Math.min(...points.map((point) => point[axis]));
    return Math.max(side(0), side(1));
  });
  return Math.min(1.2, Math.max(0.3, Math.max(...sides) / USUAL));
}

/** @param {Stroke[]} strokes @returns {Promise<Blob>} */
export function pictureOf(strokes) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SENT;
  paint(canvas, strokes, penFor(strokes));
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// Pictures of 28 rows of 28 numbers on a canvas: grey levels, and contributions in red and blue around a neutral colour.

// Blue, white and red of ColorBrewer's RdBu, as in the pictures of the service; brighter on a dark page.
const ON_LIGHT = [
  [5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [209, 229, 240], [255, 255, 255],
  [253, 219, 199], [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31],
];
const ON_DARK = [
  [190, 228, 255], [118, 190, 246], [66, 146, 212], [40, 97, 150], [29, 56, 84], [22, 24, 28],
  [84, 36, 34], [150, 50, 44], [216, 84, 64], [246, 138, 108], [255, 206, 180],
];
export const SIDE = 28; // pixels to a side
const dark = matchMedia("(prefers-color-scheme: dark)");

export const largestOf = (values) => values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-12);

export function drawGrey(canvas, values) {
  paint(canvas, values, (value) => [value, value, value]);
}

// largest: the value of the strongest colour; by default, the largest of this picture.
export function drawShares(canvas, values, largest = largestOf(values)) {
  const colours = dark.matches ? ON_DARK : ON_LIGHT;
  paint(canvas, values, (value) => diverging(colours, (value / largest + 1) / 2));
}

// Draws the edge of the ink over an enlarged picture.
export function outline(canvas, pixels, threshold = 110) {
  const context = canvas.getContext("2d");
  const cell = canvas.width / SIDE;
  const isInk = (row, column) => row >= 0 && row < SIDE && column >= 0 && column < SIDE && pixels[row * SIDE + column] > threshold;
  context.beginPath();
  for (let row = 0; row <= SIDE; row++) {
    for (let column = 0; column <= SIDE; column++) {
      const here = isInk(row, column);
      if (here !== isInk(row, column - 1)) stroke(context, column * cell, row * cell, 0, cell);
      if (here !== isInk(row - 1, column)) stroke(context, column * cell, row * cell, cell, 0);
    }
  }
  context.lineWidth = cell / 5;
  context.strokeStyle = dark.matches ? "#ffffffb0" : "#000000a0";
  context.stroke();
}

export function clearPicture(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

// Shows the values enlarged, so that something can be drawn over them.
export function enlarge(canvas, scale) {
  const small = document.createElement("canvas");
  small.width = small.height = SIDE;
  small.getContext("2d").drawImage(canvas, 0, 0);
  canvas.width = canvas.height = SIDE * scale;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

// Which pixel an event points at.
export function pixelAt(canvas, event) {
  const box = canvas.getBoundingClientRect();
  const at = (offset, size) => Math.min(SIDE - 1, Math.max(0, Math.floor((SIDE * offset) / size)));
  return { row: at(event.clientY - box.top, box.height), column: at(event.clientX - box.left, box.width) };
}

function stroke(context, x, y, dx, dy) {
  context.moveTo(x, y);
  context.lineTo(x + dx, y + dy);
}

function diverging(colours, fraction) {
  const place = Math.min(1, Math.max(0, fraction)) * (colours.length - 1);
  const below = Math.min(Math.floor(place), colours.length - 2);
  const [from, to, share] = [colours[below], colours[below + 1], place - below];
  return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1]), from[2] + share * (to[2] - from[2])];
}

function paint(canvas, values, colour) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  const bytes = new Uint32Array(image.data.buffer);
  values.forEach((value, i) => {
    const [red, green, blue] = colour(value);
    bytes[i] = 0xff000000 | (blue << 16) | (green << 8) | red;
  });
  context.putImageData(image, 0, 0);
}

// Pictures of 28 rows of 28 numbers on a canvas: grey levels, and shares in red and blue.

// Blue, white and red of ColorBrewer's RdBu, as in the pictures that the service draws.
const DIVERGING = [
  [5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [209, 229, 240], [255, 255, 255],
  [253, 219, 199], [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31],
];

export function drawGrey(canvas, rows) {
  paint(canvas, rows, (value) => [value, value, value]);
}

export function drawShares(canvas, rows) {
  const largest = Math.max(1e-12, ...rows.flat().map(Math.abs));
  paint(canvas, rows, (value) => diverging((value / largest + 1) / 2));
}

export function clearPicture(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

function diverging(fraction) {
  const place = fraction * (DIVERGING.length - 1);
  const below = Math.min(Math.floor(place), DIVERGING.length - 2);
  return DIVERGING[below].map((value, i) => value + (place - below) * (DIVERGING[below + 1][i] - value));
}

function paint(canvas, rows, colour) {
  const n = rows.length;
  canvas.width = canvas.height = n;
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, n);
  rows.flat().forEach((value, i) => image.data.set([...colour(value), 255], 4 * i));
  context.putImageData(image, 0, 0);
}

// The weights of a version, from its file, as it lies in the registry: an uncompressed zip archive of NumPy arrays.

import { send, versionPath } from "./api.js";
import { planesOf } from "./parts/tiles.js";

const ARRAYS = { "<f4": Float32Array, "<f8": Float64Array };
const LOCAL_HEADER = 0x04034b50;
const kept = new Map();

// {best, last}, of a network {best_W1, ...}: each {rows: a pixel each and the bias, columns, values: in row order}.
function weightsOf(name, version) {
  const path = `${versionPath(name, version)}/weights.npz`;
  if (!kept.has(path)) {
    const loading = send(path).then((answer) => answer.arrayBuffer()).then(readArrays);
    loading.catch(() => kept.delete(path));
    kept.set(path, loading);
  }
  return kept.get(path);
}

// The weights of each class without the bias, a number a pixel, or null: those of a network belong to its units.
export async function classPlanes(name, version, which) {
  const file = await weightsOf(name, version);
  return file[which] ? planesOf(file[which]) : null;
}

// The weights that lead from the pixels to a unit of a network, the first being 1; of a later layer the product of all up to it.
export async function unitPicture({ name, version, published }, layer, unit) {
  const file = await weightsOf(name, version);
  const matrix = (number) => file[`${published}_W${number}`];
  let { rows, columns, values } = matrix(layer);
  let column = Float64Array.from({ length: rows - 1 }, (_, row) => values[row * columns + unit - 1]);
  for (let number = layer - 1; number > 0; number--) {
    ({ rows, columns, values } = matrix(number));
    column = Float64Array.from({ length: rows - 1 }, (_, row) => column.reduce((sum, weight, k) => sum + weight * values[row * columns + k], 0));
  }
  return column;
}

function readArrays(buffer) {
  const view = new DataView(buffer);
  const arrays = {};
  let at = 0;
  while (at + 30 <= buffer.byteLength && view.getUint32(at, true) === LOCAL_HEADER) {
    const nameLength = view.getUint16(at + 26, true);
    const start = at + 30 + nameLength + view.getUint16(at + 28, true);
    const size = view.getUint32(at + 18, true);
    const name = new TextDecoder().decode(new Uint8Array(buffer, at + 30, nameLength));
    arrays[name.replace(/\.npy$/, "")] = readArray(buffer.slice(start, start + size));
    at = start + size;
  }
  return arrays;
}

function readArray(buffer) {
  const headerLength = new DataView(buffer).getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, 10, headerLength));
  const kind = /'descr': '([^']+)'/.exec(header)[1];
  const [rows, columns = 1] = /'shape': \(([^)]*)\)/.exec(header)[1].match(/\d+/g).map(Number);
  return { rows, columns, values: new ARRAYS[kind](buffer.slice(10 + headerLength)) };
}

// The weight file of a version, as it lies in the registry: an uncompressed zip archive of NumPy arrays.

import { send, versionPath } from "./api.js";

const ARRAYS = { "<f4": Float32Array, "<f8": Float64Array };
const LOCAL_HEADER = 0x04034b50;
const kept = new Map();

// {best, last}: each {rows: a pixel each and the bias, columns: one for each output, values: in row order}.
export function weightsOf(name, version) {
  const path = `${versionPath(name, version)}/weights.npz`;
  if (!kept.has(path)) {
    const loading = send(path).then((answer) => answer.arrayBuffer()).then(readArrays);
    loading.catch(() => kept.delete(path));
    kept.set(path, loading);
  }
  return kept.get(path);
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

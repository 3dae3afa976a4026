// What the page knows of a version of a model: the names of its classes and, of a linear one, its weights as pictures.

import { get, versionPath } from "./api.js";
import { namesOf } from "./names.js";
import { classPlanes } from "./weights_file.js";

const loaded = new Map();

// null for a key that may only predict, or {name, version, published, classes, dataset, nameOf, sizes: of the hidden layers, scale, planes: of each class, or null of a network}
export function versionOf(name, version) {
  const key = `${name}/${version}`;
  if (!loaded.has(key)) {
    const loading = load(name, version).catch(unlessNarrow);
    loading.catch(() => loaded.delete(key));
    loaded.set(key, loading);
  }
  return loaded.get(key);
}

function unlessNarrow(problem) {
  if (!problem.isScope) throw problem;
  return null;
}

async function load(name, version) {
  const manifest = await get(versionPath(name, version));
  const sizes = manifest.tensors.slice(0, -1).map(({ shape }) => shape[1]);
  return {
    name,
    version: manifest.version,
    published: manifest.published,
    classes: manifest.classes,
    dataset: manifest.dataset?.name ?? null,
    nameOf: namesOf(manifest),
    sizes,
    scale: manifest.operations[0],
    planes: sizes.length ? null : await classPlanes(name, manifest.version, manifest.published), // the file of a network is large
  };
}

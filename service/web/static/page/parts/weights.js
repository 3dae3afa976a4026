// The weights of a version: a picture for each class, or for each hidden unit of a network, layer by layer.

import { versionPath } from "../api.js";
import { html, useState } from "../html.js";
import { versionOf } from "../version.js";
import { classPlanes } from "../weights_file.js";
import { useLoaded } from "./live.js";
import { Picture } from "./picture.js";
import { Tiles } from "./tiles.js";

// which: "best" or "last" weights; by default, the published ones. found: what is known of the version, to draw it at once.
export function Weights({ name, version, which, isShared = false, found }) {
  const load = async () => {
    const found = await versionOf(name, version);
    return { ...found, planes: found.planes && (await classPlanes(name, version, which ?? found.published)) };
  };
  const { data: loaded, problem } = useLoaded(load, [name, version, which]);
  const data = loaded ?? found;
  if (problem) return html`<p class="note">${problem.message}</p>`;
  if (!data) return html`<div class="weights-awaited"></div>`;
  if (data.sizes.length) return html`<${Layers} name=${name} version=${version} sizes=${data.sizes} />`;
  return html`<${Tiles} names=${data.classes.map(data.nameOf)} planes=${data.planes} isShared=${isShared} />`;
}

// The size of a picture of so many hidden units, in pixels; at most 64 are drawn, in rows of 16.
function roomOf(nUnits) {
  if (!nUnits) return {};
  return { width: 8 + 120 * Math.min(16, nUnits), height: 46 + 142 * Math.ceil(Math.min(64, nUnits) / 16) };
}

function Layers({ name, version, sizes }) {
  const [layer, setLayer] = useState(1);
  const choice = (number) => html`<label key=${number}>
    <input type="radio" name=${`layer-of-${name}-${version}`} checked=${layer === number} onChange=${() => setLayer(number)} />
    ${number > sizes.length ? "outputs" : `layer ${number}: ${sizes[number - 1]} units`}
  </label>`;
  return html`
    <div class="radios" role="radiogroup" aria-label="Layer">${[...sizes, null].map((_, i) => choice(i + 1))}</div>
    <${Picture}
      class="units"
      ...${roomOf(sizes[layer - 1])}
      path=${`${versionPath(name, version)}/weights.png?layer=${layer}`}
      alt=${`Weights of the units of layer ${layer} of ${name}, version ${version}, those that matter most first`}
    />
  `;
}

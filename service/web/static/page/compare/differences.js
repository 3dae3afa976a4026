// The weights of several versions, and their differences from those of the first.

import { html } from "../html.js";
import { useLoaded } from "../parts/live.js";
import { Tiles } from "../parts/tiles.js";
import { Weights } from "../parts/weights.js";
import { isHidden } from "../url.js";
import { versionOf } from "../version.js";

export function Differences({ versions }) {
  const load = () => Promise.all(versions.map(({ version }) => versionOf(version.name, version.version)));
  const { data, problem } = useLoaded(load, [versions]);
  if (problem) return html`<p class="note">${problem.message}</p>`;
  if (!data?.length) return null;
  const [first, ...others] = data;
  const label = ({ name, version }) => `${name}/${version}`;
  const card = (title, inside) => html`<div class="card" key=${title} hidden=${isHidden("weights")}><h2>${title}</h2>${inside}</div>`;
  const weights = ({ name, version }) => html`<${Weights} name=${name} version=${version} isShared />`;
  const difference = (other) => {
    const isAlike = first.planes && other.planes && other.classes.join() === first.classes.join();
    if (!isAlike) return card(`Weights of ${label(other)}, which has other classes or hidden layers`, weights(other));
    const change = other.planes.map((plane, k) => plane.map((weight, j) => weight - first.planes[k][j]));
    const title = `${label(other)} minus ${label(first)}: red where its weights are larger, blue where they are smaller`;
    return card(title, html`<${Tiles} names=${first.classes.map(first.nameOf)} planes=${change} isShared />`);
  };
  return html`<div>${card(`Weights of ${label(first)}`, weights(first))}${others.map(difference)}</div>`;
}

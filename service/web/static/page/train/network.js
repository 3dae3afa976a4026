// A network as a drawing: its layers, with the numbers of units and of parameters.

import { number } from "../format.js";
import { html } from "../html.js";

const SHOWN = 7; // circles of a layer at most
const [WIDTH, HEIGHT, LEFT] = [320, 130, 28];

export function Network({ sizes }) {
  const x = (i) => LEFT + (i * (WIDTH - 2 * LEFT)) / (sizes.length - 1);
  const places = (size) => {
    const n = Math.min(size, SHOWN);
    return Array.from({ length: n }, (_, i) => 60 + (i - (n - 1) / 2) * 14);
  };
  const n_parameters = sizes.slice(1).reduce((sum, size, i) => sum + (sizes[i] + 1) * size, 0);
  const lines = sizes.slice(1).flatMap((size, i) => places(sizes[i]).flatMap((from) => places(size).map((to) => `M${x(i)} ${from}L${x(i + 1)} ${to}`)));
  return html`<figure class="network">
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`Layers of ${sizes.join(", ")} units`}>
      <path d=${lines.join("")} />
      ${sizes.map((size, i) => html`<g key=${i}>
        ${places(size).map((y) => html`<circle cx=${x(i)} cy=${y} r="5" />`)}
        <text x=${x(i)} y=${HEIGHT - 6}>${number(size)}</text>
      </g>`)}
    </svg>
    <figcaption>${number(n_parameters)} parameters</figcaption>
  </figure>`;
}

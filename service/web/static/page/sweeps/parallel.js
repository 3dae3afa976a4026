// A grid of several settings as parallel coordinates: an axis a setting, the last one the metric, a line a run.

import { shortened } from "../format.js";
import { html, useState } from "../html.js";
import { title, written } from "../train/values.js";
import { go, address } from "../url.js";

const LABEL_CHARS = 14;
const [WIDTH, HEIGHT, TOP, BOTTOM, SIDE] = [900, 300, 46, 24, 70];

// metric: the name of a measured value, and words: what people call it. isHigh: whether a high value is a good one.
export function Parallel({ sweep: { grid, members }, metric, words, isHigh, format }) {
  const [pointed, setPointed] = useState(null);
  const runs = members.filter(({ metrics }) => metrics.best);
  const names = Object.keys(grid);
  const x = (i) => SIDE + (i * (WIDTH - 2 * SIDE)) / names.length;
  const y = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  const measured = runs.map(({ metrics }) => metrics.best[metric]);
  const [low, high] = [Math.min(...measured), Math.max(...measured)];
  const shareOf = (value) => (high > low ? (value - low) / (high - low) : 0.5);
  const places = (name) => grid[name].map((_, i) => (grid[name].length > 1 ? i / (grid[name].length - 1) : 0.5));
  const placeOf = (name, value) => places(name)[grid[name].findIndex((each) => written(each, name) === written(value, name))];
  const line = ({ job, values, metrics: { best } }) => {
    const share = shareOf(best[metric]);
    const quality = isHigh ? share : 1 - share;
    const points = [...names.map((name, i) => `${x(i)},${y(placeOf(name, values[name]))}`), `${x(names.length)},${y(share)}`];
    const label = `${names.map((name) => `${title(name)} ${written(values[name], name)}`).join(", ")}: ${words} ${format(best[metric])}`;
    return html`<polyline key=${job} points=${points.join(" ")} style=${{ "--quality": `${Math.round(100 * quality)}%` }} class=${pointed === job ? "pointed" : ""} onPointerEnter=${() => setPointed(job)} onClick=${() => go(address({ job }))}>
      <title>${label}</title>
    </polyline>`;
  };
  const axis = (name, i, ticks) => html`<g key=${name} transform=${`translate(${x(i)} 0)`}>
    <line y1=${y(0)} y2=${y(1)} />
    <text y="18" class="name">${name === metric ? words : title(name)}</text>
    ${ticks.map(([share, text]) => html`<text x=${i === names.length ? 8 : -8} y=${y(share) + 4} text-anchor=${i === names.length ? "start" : "end"}>${text}</text>`)}
  </g>`;
  if (names.length < 2 || runs.length < 2) return null;
  return html`<figure class="card parallel">
    <figcaption>Every run as a line from its settings to its ${words}; click one to watch it</figcaption>
    <div class="frame" tabindex="0" role="region" aria-label="Parallel coordinates">
      <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`${runs.length} runs over ${names.map(title).join(" and ")}; the table has their values`} onPointerLeave=${() => setPointed(null)}>
        ${[...runs].reverse().map(line)}
        ${names.map((name, i) => axis(name, i, grid[name].map((value, k) => [places(name)[k], shortened(written(value, name), LABEL_CHARS)])))}
        ${axis(metric, names.length, [[0, format(low)], [1, format(high)]])}
      </svg>
    </div>
  </figure>`;
}

// Sweeps: the varied settings of each, and its progress.

import { get } from "../api.js";
import { moment } from "../format.js";
import { html } from "../html.js";
import { Empty, Lost, useLive } from "../parts/live.js";
import { Badge, Table } from "../parts/table.js";
import { title, written } from "../train/values.js";
import { address } from "../url.js";

const EXAMPLE = "/?view=train&l2_penalty=0, 1, 0.1, 0.01, 0.001";

export function Sweeps() {
  const { data, problem, isLost } = useLive(async () => [await get("/sweeps?limit=100"), true], []);
  return html`
    <h1 id="sweeps-title">Sweeps</h1>
    <p class="lead">Many runs that differ in a few settings, trained side by side: the quickest way to see the effect of a setting.</p>
    <${Lost} when=${isLost} />
    ${problem && html`<${Empty} href="/" label="Draw">${problem.message}<//>`}
    ${data && !data.sweeps.length && html`<${Empty} href=${EXAMPLE} label="Try five L2 penalties">No sweep yet. Enter several values in one field of the form.<//>`}
    ${data?.sweeps.length > 0 &&
    html`<${Table} caption="Sweeps" headings=${["Started", "Varied", "Runs", "State", "Model"]} keys=${data.sweeps.map(({ id }) => id)} rows=${data.sweeps.map(rowOf)} />`}
  `;
}

function rowOf({ id, grid, name, state, states, created_at }) {
  const varied = Object.entries(grid).map(([field, values]) => `${title(field)}: ${values.map((value) => written(value, field)).join(", ")}`);
  const counts = Object.entries(states).map(([each, n]) => `${n} ${each}`);
  return [html`<a href=${address({ sweep: id })}>${moment(created_at)}</a>`, varied.join("; "), counts.join(", "), html`<${Badge} state=${state} />`, name];
}

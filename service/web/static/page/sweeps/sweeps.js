// Sweeps: the varied settings of each, and its progress.

import { get } from "../api.js";
import { moment } from "../format.js";
import { html } from "../html.js";
import { titleCell } from "../parts/annotation.js";
import { Empty, Lost, useLive } from "../parts/live.js";
import { Nothing, Older, Search, useSearch } from "../parts/search.js";
import { Badge, Table } from "../parts/table.js";
import { title, written } from "../train/values.js";
import { address } from "../url.js";

const PAGE = "100";
const HEADINGS = ["Started", "Title", "Varied", "Runs", "State", "Model"];
const EXAMPLE = "/?view=train&l2_penalty=0, 1, 0.1, 0.01, 0.001";

export function Sweeps({ params }) {
  const search = useSearch(params, "sweeps", { limit: PAGE });
  const { data, problem, isLost, again } = useLive(async () => [await get(`/sweeps?${search.query}`), search.isFirstPage], [search.query]);
  const isEmpty = data?.sweeps.length === 0;
  return html`
    <h1 id="sweeps-title">Sweeps</h1>
    <p class="lead">Many runs that differ in a few settings, trained side by side: the quickest way to see the effect of a setting.</p>
    <${Search} search=${search} kinds=${["sweeps"]} states=${["running", "finished"]} />
    <${Lost} when=${isLost} />
    ${problem && html`<${Empty} href="/?view=sweeps" label="See all sweeps">${problem.message}<//>`}
    ${isEmpty && (search.isFiltered ? html`<${Nothing} search=${search} />` : html`<${Empty} href=${EXAMPLE} label="Try five L2 penalties">No sweep yet. Enter several values in one field of the form.<//>`)}
    ${data?.sweeps.length > 0 && html`<${Table} caption="Sweeps" headings=${HEADINGS} keys=${data.sweeps.map(({ id }) => id)} rows=${data.sweeps.map((sweep) => rowOf(sweep, again))} />`}
    <${Older} search=${search} next=${data?.next}>Older sweeps<//>
  `;
}

function rowOf(sweep, again) {
  const { id, grid, name, state, states, created_at } = sweep;
  const [at, href] = [moment(created_at), address({ sweep: id })];
  const varied = Object.entries(grid).map(([field, values]) => `${title(field)}: ${values.map((value) => written(value, field)).join(", ")}`);
  const counts = Object.entries(states).map(([each, n]) => `${n} ${each}`);
  return [
    html`<a href=${href}>${at}</a>`,
    titleCell(sweep, { path: `/sweeps/${id}`, href, view: "sweeps", what: `the sweep of ${at}`, changed: again }),
    varied.join("; "),
    counts.join(", "),
    html`<${Badge} state=${state} />`,
    name,
  ];
}

// Sweeps: the varied settings of each, and its progress.

import { get } from "./api.js";
import { byId, element, emptyState, redraw } from "./element.js";
import { title } from "./field.js";
import { keepFresh } from "./fresh.js";
import { badge, moment, table } from "./table.js";
import { address } from "./url.js";

export function showSweeps() {
  const place = byId("sweep-list");
  const example = "/?view=train&l2_penalty=0,1,0.1,0.01,0.001";

  async function load(isLeft) {
    const { sweeps } = await get("/sweeps?limit=100");
    if (isLeft()) return false;
    if (sweeps.length) redraw(place, table("Sweeps", ["Started", "Varied", "Runs", "State", "Model"], sweeps.map(row)));
    else place.replaceChildren(emptyState("No sweep yet. Enter several numbers in one field of the form.", example, "Try five L2 penalties"));
    return true;
  }

  return keepFresh(place, load, (problem) => emptyState(problem.message, "/", "Draw")).stop;
}

function row({ id, grid, name, state, states, created_at }) {
  const varied = Object.entries(grid).map(([field, values]) => `${title(field)}: ${values.join(", ")}`);
  const counts = Object.entries(states).map(([each, n]) => `${n} ${each}`);
  return [element("a", { href: address({ sweep: id }) }, moment(created_at)), varied.join("; "), counts.join(", "), badge(state), name];
}

// Reports: a list, and a form for a new one.

import { get, post } from "../api.js";
import { moment } from "../format.js";
import { html, useState } from "../html.js";
import { Lost, useLive } from "../parts/live.js";
import { Badge, Table } from "../parts/table.js";
import { address, go, isHidden } from "../url.js";

const HEADINGS = ["Requested", "Assignment", "Kind", "Settings", "State", "Done"];
const ASSIGNMENTS = {
  1: ["Logistic and softmax regression", "seven runs: logistic regression with and without shuffling, and softmax regression with five L2 penalties"],
  2: ["Networks with hidden layers", "nine runs: networks, improved one thing at a time, then of other sizes"],
};

export function Reports() {
  const { data, problem, isLost } = useLive(async () => [(await get("/reports?limit=100")).reports, true], []);
  const row = ({ id, options, state, fraction, created_at }) => [
    html`<a href=${address({ report: id })}>${moment(created_at)}</a>`,
    `${options.assignment}: ${ASSIGNMENTS[options.assignment][0]}`,
    options.quick ? "quick" : "full",
    options.assignment === 1 ? `${options.classes.join(" and ")}, λ ${options.l2_penalties.join(", ")}` : `seed ${options.seed}`,
    html`<${Badge} state=${state} />`,
    `${Math.round(100 * fraction)} %`,
  ];
  return html`
    <h1 id="reports-title">Reports</h1>
    <p class="lead">A whole course report, trained and written anew: each task with its answer, its figures and its tables.</p>
    ${!isHidden("submit") && html`<${Form} />`}
    <${Lost} when=${isLost} />
    ${problem && html`<p class="note">${problem.message}</p>`}
    ${data && !data.length && html`<p class="hint">No report yet. A quick one takes a few seconds.</p>`}
    ${data?.length > 0 && html`<${Table} caption="Reports" headings=${HEADINGS} keys=${data.map(({ id }) => id)} rows=${data.map(row)} />`}
  `;
}

function Form() {
  const [assignment, setAssignment] = useState("1");
  const [seed, setSeed] = useState("0");
  const [isQuick, setQuick] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      go(address({ report: (await post("/reports", { assignment: Number(assignment), seed: Number(seed), quick: isQuick })).id }));
    } catch (refused) {
      setProblem(refused);
      setBusy(false);
    }
  };
  return html`<form class="card" onSubmit=${submit}>
    <div class="row">
      <label for="report-assignment">Assignment</label>
      <select id="report-assignment" value=${assignment} onChange=${(event) => setAssignment(event.target.value)}>
        ${Object.entries(ASSIGNMENTS).map(([number, [title]]) => html`<option key=${number} value=${number}>${number}: ${title}</option>`)}
      </select>
      <label for="report-seed">Seed</label>
      <input type="text" id="report-seed" inputmode="numeric" autocomplete="off" value=${seed} onInput=${(event) => setSeed(event.target.value)} />
      <label class="tick"><input type="checkbox" id="report-quick" checked=${isQuick} onChange=${(event) => setQuick(event.target.checked)} />quick: fewer epochs</label>
      <button type="submit" class="main" disabled=${isBusy}>Make a report</button>
    </div>
    <p class="hint">It trains ${ASSIGNMENTS[assignment][1]}.</p>
    <p class="error" role="alert" hidden=${!problem}>${problem?.message}</p>
  </form>`;
}

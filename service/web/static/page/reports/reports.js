// Reports: a list, and a form for a new one.

import { get, post } from "../api.js";
import { moment } from "../format.js";
import { html, useState } from "../html.js";
import { Lost, useLive } from "../parts/live.js";
import { Badge, Table } from "../parts/table.js";
import { address, go, isHidden } from "../url.js";

const HEADINGS = ["Requested", "Kind", "Digits", "L2 penalties", "State", "Done"];

export function Reports() {
  const { data, problem, isLost } = useLive(async () => [(await get("/reports?limit=100")).reports, true], []);
  const row = ({ id, options, state, fraction, created_at }) => [
    html`<a href=${address({ report: id })}>${moment(created_at)}</a>`,
    options.quick ? "quick" : "full",
    options.classes.join(" and "),
    options.l2_penalties.join(", "),
    html`<${Badge} state=${state} />`,
    `${Math.round(100 * fraction)} %`,
  ];
  return html`
    <h1 id="reports-title">Reports</h1>
    <p class="lead">The whole course report, trained and written anew: gradients, early stopping, shuffling, overfitting, the cost of L2.</p>
    ${!isHidden("submit") && html`<${Form} />`}
    <${Lost} when=${isLost} />
    ${problem && html`<p class="note">${problem.message}</p>`}
    ${data && !data.length && html`<p class="hint">No report yet. A quick one takes a few seconds.</p>`}
    ${data?.length > 0 && html`<${Table} caption="Reports" headings=${HEADINGS} keys=${data.map(({ id }) => id)} rows=${data.map(row)} />`}
  `;
}

function Form() {
  const [seed, setSeed] = useState("0");
  const [isQuick, setQuick] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      go(address({ report: (await post("/reports", { seed: Number(seed), quick: isQuick })).id }));
    } catch (refused) {
      setProblem(refused);
      setBusy(false);
    }
  };
  return html`<form class="card" onSubmit=${submit}>
    <div class="row">
      <label for="report-seed">Seed</label>
      <input type="text" id="report-seed" inputmode="numeric" autocomplete="off" value=${seed} onInput=${(event) => setSeed(event.target.value)} />
      <label class="tick"><input type="checkbox" id="report-quick" checked=${isQuick} onChange=${(event) => setQuick(event.target.checked)} />quick: fewer epochs</label>
      <button type="submit" class="main" disabled=${isBusy}>Make a report</button>
    </div>
    <p class="hint">A report trains seven runs: logistic regression with and without shuffling, and softmax regression with five L2 penalties.</p>
    <p class="error" role="alert" hidden=${!problem}>${problem?.message}</p>
  </form>`;
}

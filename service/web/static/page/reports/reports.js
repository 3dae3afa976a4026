// Reports: a list, and a form for a new one.

import { get, postOnce } from "../api.js";
import { moment } from "../format.js";
import { html, useState } from "../html.js";
import { titleCell } from "../parts/annotation.js";
import { Lost, useLive } from "../parts/live.js";
import { Refusal, useOnce } from "../parts/once.js";
import { Nothing, Older, Search, useSearch } from "../parts/search.js";
import { Badge, Table } from "../parts/table.js";
import { address, go, isHidden } from "../url.js";

const PAGE = "100";
const HEADINGS = ["Requested", "Title", "Assignment", "Kind", "Settings", "State", "Done"];
const ASSIGNMENTS = {
  1: ["Logistic and softmax regression", "seven runs: logistic regression with and without shuffling, and softmax regression with five L2 penalties"],
  2: ["Networks with hidden layers", "nine runs: networks, improved one thing at a time, then of other sizes"],
};

function settings({ assignment, classes, l2_penalties, seed, seeds }) {
  const runs = assignment === 1 ? `${classes.join(" and ")}, λ ${l2_penalties.join(", ")}, ` : "";
  return `${runs}${seeds > 1 ? `seeds ${seed} to ${seed + seeds - 1}` : `seed ${seed}`}`;
}

export function Reports({ params }) {
  const search = useSearch(params, "reports", { limit: PAGE });
  const { data, problem, isLost, again } = useLive(async () => [await get(`/reports?${search.query}`), search.isFirstPage], [search.query]);
  const isEmpty = data?.reports.length === 0;
  return html`
    <h1 id="reports-title">Reports</h1>
    <p class="lead">A whole course report, trained and written anew: each task with its answer, its figures and its tables.</p>
    ${!isHidden("submit") && html`<${Form} />`}
    <${Search} search=${search} kinds=${["reports"]} states=${["running", "finished"]} />
    <${Lost} when=${isLost} />
    ${problem && html`<p class="note">${problem.message}</p>`}
    ${isEmpty && (search.isFiltered ? html`<${Nothing} search=${search} />` : html`<p class="hint">No report yet. A quick one takes a few seconds.</p>`)}
    ${data?.reports.length > 0 && html`<${Table} caption="Reports" headings=${HEADINGS} keys=${data.reports.map(({ id }) => id)} rows=${data.reports.map((report) => rowOf(report, again))} />`}
    <${Older} search=${search} next=${data?.next}>Older reports<//>
  `;
}

function rowOf(report, again) {
  const { id, options, state, fraction, created_at } = report;
  const [at, href] = [moment(created_at), address({ report: id })];
  return [
    html`<a href=${href}>${at}</a>`,
    titleCell(report, { path: `/reports/${id}`, href, view: "reports", what: `the report of ${at}`, changed: again }),
    `${options.assignment}: ${ASSIGNMENTS[options.assignment][0]}`,
    options.quick ? "quick" : "full",
    settings(options),
    html`<${Badge} state=${state} />`,
    `${Math.round(100 * fraction)} %`,
  ];
}

const LIST = /\s*,\s*/;
const EMPTY = { assignment: "1", seed: "0", seeds: "1", quick: false, classes: "2, 3", title: "", authors: "", group: "" };

// What is sent: numbers where the server expects them, or as they were written, for it to refuse.
function request({ assignment, seed, seeds, quick, classes, title, authors, group }) {
  const number = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text);
  const body = { assignment: Number(assignment), seed: number(seed), seeds: number(seeds), quick, title: title.trim(), group: group.trim() };
  body.authors = authors.split(LIST).map((name) => name.trim()).filter(Boolean);
  if (assignment === "1") body.classes = classes.trim().split(LIST).map(number);
  return body;
}

function Form() {
  const [given, setGiven] = useState(EMPTY);
  const { start, isBusy, problem } = useOnce();
  const submit = (event) => {
    event.preventDefault();
    start(async () => go(address({ report: (await postOnce("/reports", request(given))).id })));
  };
  const set = (name, value) => setGiven((before) => ({ ...before, [name]: value }));
  const text = (name, label, attributes) => html`<span class="pair">
    <label for=${`report-${name}`}>${label}</label>
    <input type="text" id=${`report-${name}`} autocomplete="off" value=${given[name]} onInput=${(event) => set(name, event.target.value)} ...${attributes} />
  </span>`;
  return html`<form class="card" onSubmit=${submit}>
    <div class="row">
      <label for="report-assignment">Assignment</label>
      <select id="report-assignment" value=${given.assignment} onChange=${(event) => set("assignment", event.target.value)}>
        ${Object.entries(ASSIGNMENTS).map(([number, [title]]) => html`<option key=${number} value=${number}>${number}: ${title}</option>`)}
      </select>
      ${text("seed", "First seed", { class: "short", inputmode: "numeric" })}
      ${text("seeds", "Seeds", { class: "short", inputmode: "numeric", title: "1 to 10; with several there are intervals and bands" })}
      ${given.assignment === "1" && text("classes", "Classes", { class: "short" })}
      <label class="tick"><input type="checkbox" id="report-quick" checked=${given.quick} onChange=${(event) => set("quick", event.target.checked)} />quick: fewer epochs</label>
    </div>
    <div class="row">
      ${text("title", "Title", { maxlength: 200, placeholder: "its subject" })}
      ${text("authors", "Authors", { placeholder: "with commas between them" })}
      ${text("group", "Group", { class: "short", maxlength: 100 })}
      <button type="submit" class="main" disabled=${isBusy}>Make a report</button>
    </div>
    <p class="hint">It trains ${ASSIGNMENTS[given.assignment][1]}${given.seeds.trim() === "1" ? "" : ", with each seed"}.</p>
    <${Refusal} problem=${problem} />
  </form>`;
}

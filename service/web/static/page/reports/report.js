// A report: its progress, then every task with its answer, its figures and its tables.

import { get, post } from "../api.js";
import { html } from "../html.js";
import { Annotation, Heading } from "../parts/annotation.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLive } from "../parts/live.js";
import { Act } from "../parts/once.js";
import { FileLink, Picture } from "../parts/picture.js";
import { Badge, compareAddress, Table } from "../parts/table.js";
import { address, go } from "../url.js";

const WORDS = {
  succeeded: "All runs have finished.",
  failed: "A run failed, so there is no report. Request another one.",
  cancelled: "The report was cancelled.",
};

export function Report({ params }) {
  const id = encodeURIComponent(params.get("report"));
  const load = async () => {
    const report = await get(`/reports/${id}`);
    return [report, !(report.state in WORDS)];
  };
  const { data: report, problem, isLost, again } = useLive(load, [id]);
  const otherwise = report ? `${report.options.quick ? "A quick" : "The"} course report, assignment ${report.options.assignment}` : "A report";
  return html`
    <${Heading} id="report-title" path=${report && `/reports/${id}`} title=${report?.title ?? ""} otherwise=${otherwise} changed=${again} />
    <div id="report-page">
      <${Lost} when=${isLost} />
      ${problem && html`<${Empty} href="/?view=reports" label="See all reports">There is no such report.<//>`}
      ${report && html`<${Head} ...${report} cancel=${() => post(`/reports/${id}/cancel`).then(again)} />`}
      ${report && html`<${Annotation} path=${`/reports/${id}`} kind="reports" view="reports" tags=${report.tags} notes=${report.notes} changed=${again} />`}
      ${report?.sections.length > 0 && html`<${Sections} ...${report} />`}
    </div>
  `;
}

function Head({ id, options, state, fraction, jobs, sweep, sections, cancel }) {
  const isOver = state in WORDS;
  const runs = jobs.filter(Boolean);
  const save = (form) => html`<${FileLink} key=${form} path=${`/reports/${id}/report.${form}`} name=${form === "zip" ? "hand-in.zip" : `report.${form}`} aria-label=${`Save as ${form.toUpperCase()}`}>${form.toUpperCase()}<//>`;
  return html`<div class="card">
    <p class="state" role="status"><${Badge} state=${state} /> ${WORDS[state] ?? "The runs are training."}</p>
    <progress max="1" value=${fraction} aria-label="Progress" hidden=${isOver}></progress>
    <div class="row">
      ${sections.length > 0 && ["html", "pdf", "tex", "ipynb", "json", "zip"].map(save)}
      <a class="button" href=${address({ sweep })}>${options.assignment === 2 ? "All runs" : options.seeds > 1 ? "Other runs" : "Softmax runs"}</a>
      ${options.assignment === 1 && runs.length > 1 && html`<a class="button" href=${compareAddress(runs.slice(0, 2))}>Compare with and without shuffling</a>`}
      ${!isOver && html`<${Act} act=${cancel}>Cancel<//>`}
      ${isOver && html`<${Delete} paths=${[`/reports/${id}`]} title="Delete this report?" words=${`Its ${runs.length} runs and its sweep are deleted with it. The versions that they made stay.`} done=${() => go(address({ view: "reports" }))} />`}
    </div>
  </div>`;
}

function Sections({ id, sections }) {
  const figure = ({ name, caption }) => html`<figure key=${name}>
    <${Picture} class="weights" path=${`/reports/${id}/figures/${name}.png`} width="1440" height="864" alt=${caption} />
    <figcaption>${caption}</figcaption>
  </figure>`;
  const task = ({ number, title, formulas, sentences, figures, table }) => html`<section class="card task" key=${number}>
    <h2><span class="chip">${number}</span> ${title}</h2>
    ${formulas.map((formula) => html`<p class="formula">${formula}</p>`)}
    ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
    ${figures.map(figure)}
    ${table && html`<p class="hint">${table.caption}</p><${Table} caption=${title} headings=${table.head} rows=${table.rows} />`}
  </section>`;
  return html`
    <details class="card"><summary>Contents</summary><ol>${sections.map(({ number, title }) => html`<li key=${number}><b>${number}</b> ${title}</li>`)}</ol></details>
    ${sections.map(task)}
  `;
}

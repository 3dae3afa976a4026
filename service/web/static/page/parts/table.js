// Rows under headings, which a narrow screen can scroll.

import { html, useRef, useState } from "../html.js";
import { address } from "../url.js";
import { save } from "./picture.js";

const MAX_RUNS = 8;
const ABSENT = ["", "–", "none", "baseline"];

// rows: arrays of cells; a row's key keeps its focus when rows change their order. Columns of numbers are aligned to the right.
// areValues: all columns but the first are, too. hasCsv: what is shown can be saved.
export function Table({ caption, headings, rows, keys = [], areValues = false, hasCsv = true }) {
  const kinds = headings.map((_, k) => ((areValues && k > 0) || isOfNumbers(rows.map((cells) => cells[k])) ? "number" : ""));
  const kind = (k) => kinds[k];
  const table = useRef(null);
  return html`<div class="card"><div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table class=${areValues ? "list values" : "list"} ref=${table}>
      <caption class="visually-hidden">${caption}</caption>
      <thead><tr>${headings.map((heading, i) => html`<th scope="col" class=${kind(i)}>${heading}</th>`)}</tr></thead>
      <tbody>
        ${rows.map((cells, i) => html`<tr key=${keys[i] ?? i}>${cells.map((cell, k) => html`<td class=${kind(k)}>${cell}</td>`)}</tr>`)}
      </tbody>
    </table>
    </div>
    ${hasCsv && html`<button type="button" class="as-csv" aria-label=${`Save as CSV: ${caption}`} onClick=${() => save(new Blob([csvOf(table.current)], { type: "text/csv" }), `${caption}.csv`)}>Save as CSV</button>`}
  </div>`;
}

// What a table shows, without columns that have no heading: they hold buttons.
function csvOf(table) {
  const named = [...table.rows[0].cells].map(({ textContent }) => textContent.trim() !== "");
  const line = ({ cells }) => [...cells].filter((_, k) => named[k]).map(({ innerText }) => quoted(innerText.replace("✎", "").replace(/\s+/g, " ").trim()));
  return [...table.rows].map((row) => `${line(row).join()}\r\n`).join("");
}

// Text that a spreadsheet would run as a formula gets an apostrophe before it, as in the tables of the API.
const quoted = (text) => {
  const plain = /^[=+@-]/.test(text) && !isNumber(text) ? `'${text}` : text;
  return /[",]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};

// Whether all cells are numbers, some with their unit or interval, or say that there is none; a column of links is none.
const isOfNumbers = (cells) => cells.some(isNumber) && cells.every((cell) => isNumber(cell) || ABSENT.includes(cell));

const isNumber = (cell) => /^[−+<-]?\d[\d,.]*(e[−+-]?\d+)?(\s?%)?( \(.*\))?$/.test(cell);

export const Badge = ({ state }) => html`<span class=${`badge ${state}`}>${state}</span>`;

// The address that compares runs: versions, as name/number, and jobs, by their ids.
export const compareAddress = (parts) => address({ view: "compare", with: parts.slice(0, MAX_RUNS).join() });

// Checkboxes in the rows of a table, box(part, label), and a link to compare the chosen ones.
export function usePicks() {
  const [chosen, setChosen] = useState([]);
  const pick = (part, isChosen) => setChosen((parts) => (isChosen ? [...parts, part] : parts.filter((each) => each !== part)));
  const box = (part, label) =>
    html`<input type="checkbox" aria-label=${`Compare ${label}`} checked=${chosen.includes(part)} onChange=${(event) => pick(part, event.target.checked)} />`;
  const link = chosen.length > 1 ? html`<a class="button main" href=${compareAddress(chosen)}>Compare these ${chosen.length}</a>` : null;
  return { box, link, chosen, clear: () => setChosen([]) };
}

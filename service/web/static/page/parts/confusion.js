// The confusion matrix: images by true and predicted class. It is one stop of the tab key; arrows move within it.

import { count as counted, number } from "../format.js";
import { html, useRef, useState } from "../html.js";
import { MOVES } from "./arrows.js";

// choose(label, predicted): called when a cell is clicked; without it the cells are not buttons. chosen: [label, predicted].
export function Matrix({ classes, confusion, nameOf, choose, chosen = null }) {
  const table = useRef(null);
  const [stop, setStop] = useState([0, 0]);
  const most = Math.max(1, ...confusion.flatMap((row, i) => row.filter((_, k) => k !== i)));
  const move = (event) => {
    if (!choose || !MOVES[event.key]) return;
    event.preventDefault();
    const [down, right] = MOVES[event.key];
    let [i, k] = stop;
    do [i, k] = [i + down, k + right];
    while (confusion[i]?.[k] === 0);
    if (confusion[i]?.[k] === undefined) return;
    setStop([i, k]);
    table.current.rows[i + 1].cells[k + 1].firstChild.focus();
  };
  const cell = (n, i, k) => {
    if (!n) return html`<td key=${k}><span>·</span></td>`;
    const words = `${counted(n, "image")} of ${nameOf(classes[i])} classified as ${nameOf(classes[k])}`;
    const depth = i === k ? null : { style: { "--depth": `${Math.round(8 + 42 * Math.sqrt(n / most))}%` } };
    const isStop = i === stop[0] && k === stop[1];
    const isChosen = chosen?.[0] === classes[i] && chosen?.[1] === classes[k];
    const inner = choose
      ? html`<button type="button" class="count" ...${depth} aria-label=${words} title=${words} tabindex=${isStop ? 0 : -1} aria-pressed=${isChosen ? "true" : null} onFocus=${() => setStop([i, k])} onClick=${() => choose(classes[i], classes[k])}>${number(n)}</button>`
      : html`<span class="count" ...${depth} title=${words}>${number(n)}</span>`;
    return html`<td key=${k} class=${i === k ? "right" : "wrong"}>${inner}</td>`;
  };
  return html`<div class="scroll" tabindex=${choose ? null : 0} role="region" aria-label="Confusion matrix">
    <table class="confusion" ref=${table} onKeyDown=${move}>
      <caption class="visually-hidden">Number of images by true and predicted class</caption>
      <thead><tr><th scope="col">true ↓ predicted →</th>${classes.map((label) => html`<th key=${label} scope="col">${nameOf(label)}</th>`)}</tr></thead>
      <tbody>
        ${confusion.map((row, i) => html`<tr key=${i}><th scope="row">${nameOf(classes[i])}</th>${row.map((n, k) => cell(n, i, k))}</tr>`)}
      </tbody>
    </table>
  </div>`;
}

// The record of a run: its settings, and the states that it went through.

import { moment } from "../format.js";
import { html } from "../html.js";
import { Badge } from "../parts/table.js";
import { inWords, title } from "../train/values.js";

export function Settings({ config, defaults }) {
  const isChanged = (name, value) => (defaults[name] ?? null) !== null && JSON.stringify(value) !== JSON.stringify(defaults[name]);
  const row = ([name, value]) => html`<tr key=${name} class=${isChanged(name, value) ? "changed" : ""}>
    <th scope="row">${title(name)}</th><td>${inWords(value, name)}</td>
  </tr>`;
  return html`<details class="card">
    <summary>Settings of this run</summary>
    <p class="hint">Those in bold are not the default.</p>
    <table class="settings"><tbody>${Object.entries(config).map(row)}</tbody></table>
  </details>`;
}

export function History({ job: { id, history } }) {
  const row = ({ state, at, reason }) => html`<tr key=${at}><td>${moment(at, "medium")}</td><td><${Badge} state=${state} /></td><td class="reason">${reason}</td></tr>`;
  return html`<details class="card">
    <summary>History</summary>
    <p class="hint">Job ${id}</p>
    <div class="scroll" tabindex="0" role="region" aria-label="History"><table class="settings"><tbody>${history.map(row)}</tbody></table></div>
  </details>`;
}

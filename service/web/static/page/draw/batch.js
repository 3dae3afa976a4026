// Many pictures at once, or an archive of them: a table of predictions, which can be saved as CSV.

import { send } from "../api.js";
import { percent } from "../format.js";
import { html, useState } from "../html.js";
import { useLoaded } from "../parts/live.js";
import { save } from "../parts/picture.js";
import { Table } from "../parts/table.js";
import { WORDS } from "./verdict.js";

const SHOWN = 200;
const HEADINGS = ["File", "Digit", "Probability", "Note"];

export const isBatch = (files) => files.length > 1 || files.some(isArchive);

const isArchive = ({ name = "", type }) => type.includes("zip") || name.endsWith(".zip");

// files: pictures, or one archive. path: of the model that predicts.
export function Batch({ files, path, close }) {
  const [failed, setFailed] = useState(null);
  const predict = (accept) => send(`${path}/predict`, { method: "POST", body: bodyOf(files), headers: { Accept: accept } });
  const { data, problem } = useLoaded(async () => (await predict("application/json")).json(), [files, path]);
  const saveAll = () => predict("text/csv").then(async (answer) => save(await answer.blob(), "predictions.csv")).catch(setFailed);
  const shown = problem ?? failed;
  return html`<div class="card wide" id="batch">
    <h2>Predictions for ${files.length > 1 ? `${files.length} pictures` : files[0].name}</h2>
    ${shown && html`<p class="error" role="alert">${shown.message}</p>`}
    ${!data && !shown && html`<p role="status">Predicting …</p>`}
    ${data && html`<${Table} caption="Predictions" hasCsv=${false} headings=${HEADINGS} rows=${data.predictions.slice(0, SHOWN).map(rowOf)} />`}
    <div class="row">
      ${data && html`<button type="button" class="main" onClick=${saveAll}>Save as CSV</button>`}
      <button type="button" onClick=${close}>Close</button>
      ${data?.predictions.length > SHOWN && html`<span class="hint">The first ${SHOWN} of ${data.predictions.length}; the CSV has all.</span>`}
    </div>
  </div>`;
}

function rowOf({ name, error, class_name: digit, verdict, probabilities }) {
  if (error) return [name, "–", "–", error.detail];
  return [name, digit, percent(Math.max(...Object.values(probabilities).map(Number))), WORDS[verdict] ?? ""];
}

function bodyOf(files) {
  if (files.length === 1) return files[0];
  const form = new FormData();
  files.forEach((file) => form.append("file", file));
  return form;
}

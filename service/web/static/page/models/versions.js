// The versions of a model, their aliases, and the history of the champion; promoting one and rolling back.

import { moment, percent } from "../format.js";
import { html, useState } from "../html.js";
import { Delete } from "../parts/delete.js";
import { useLoaded } from "../parts/live.js";
import { Act } from "../parts/once.js";
import { Table, usePicks } from "../parts/table.js";
import { address, go, isHidden } from "../url.js";
import { championOf, historyOf, promote as promoteVersion } from "./promotion.js";

// again(): called when the champion has changed.
export function Versions({ model, manifest, again }) {
  const picks = usePicks();
  const [problem, setProblem] = useState(null);
  const champion = championOf(model);
  const promote = async (version, reason) => {
    try {
      if (!(await promoteVersion(model, version, reason))) return;
      setProblem(null);
      again();
    } catch (refused) {
      setProblem(refused);
    }
  };
  const isOutdated = problem?.status === 412;
  const rows = [...model.versions].reverse().map((each) => rowOf(each, { model, manifest, champion, picks, promote }));
  return html`<div hidden=${isHidden("versions")}>
    <div class="row"><h2>Versions of ${model.name}</h2>${picks.link}<${Delete} paths=${[`/models/${encodeURIComponent(model.name)}`]} title=${`Delete ${model.name}?`} words=${`All its versions, ${model.versions.length} in number, and its aliases are lost.`} label="Delete the model" done=${() => go(address({ view: "models" }))} /></div>
    <p class="error" role="alert" hidden=${!problem}>${isOutdated ? "The champion was changed by somebody else. Reload the page, then decide." : problem?.message}</p>
    <${Table} caption=${`Versions of ${model.name}`} headings=${["", "Version", "Title", "Aliases", "Loss", "Accuracy", "Created", ""]} rows=${rows} />
    <${History} model=${model} champion=${champion} promote=${promote} />
  </div>`;
}

function rowOf({ version, metrics, created_at: at, state, title, tags }, { model, manifest, champion, picks, promote }) {
  if (state === "corrupted") return ["", String(version), "", "", "", "", "its manifest is damaged", ""];
  const part = `${model.name}/${version}`;
  const aliases = Object.entries(model.aliases ?? {}).filter(([, number]) => number === version);
  return [
    picks.box(part, `version ${version}`),
    html`<a href=${address({ view: "models", model: part })} aria-current=${version === manifest.version ? "true" : null}>${version}</a>`,
    [title, title && " ", ...tags.map((tag) => html`<span key=${tag} class="chip tag">${tag}</span> `)],
    aliases.map(([alias]) => html`<span key=${alias} class="chip">${alias}</span>`),
    metrics ? metrics.validation_loss.toFixed(4) : "–",
    metrics ? percent(metrics.validation_accuracy) : "–",
    at ? moment(at) : "–",
    version === champion
      ? "in use"
      : html`<${Act} aria-label=${`Promote version ${version}`} act=${() => promote(version, "promoted on the page")}>Promote<//>`,
  ];
}

function History({ model, champion, promote }) {
  const { data, problem } = useLoaded(async () => (champion === null ? [] : (await historyOf(model.name)).history), [model.name, champion]);
  if (champion === null) return html`<p class="hint">No version is the champion yet, so the newest one is used. Promote a version to use it until you promote another.</p>`;
  if (problem) return html`<p class="note">${problem.message}</p>`;
  if (!data) return null;
  const before = data.filter(({ version }) => version !== null && version !== champion).at(-1);
  const rows = [...data].reverse().map(({ at, version, reason, by }) => [moment(at), version === null ? "none" : `version ${version}`, reason ?? "–", by ?? "–"]);
  return html`
    <div class="row">
      <h2>Champion history</h2>
      ${before && html`<${Act} act=${() => promote(before.version, `rolled back from version ${champion}`)}>Roll back to version ${before.version}<//>`}
    </div>
    <${Table} caption="Champion history" headings=${["Time", "Version", "Reason", "By"]} rows=${rows} />
  `;
}

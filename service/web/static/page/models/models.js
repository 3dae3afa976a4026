// Models: their weights, metrics and versions.

import { get } from "../api.js";
import { percent } from "../format.js";
import { html } from "../html.js";
import { Tags } from "../parts/annotation.js";
import { Empty, Lost, useLoaded } from "../parts/live.js";
import { Nothing, Older, Search, useSearch } from "../parts/search.js";
import { Weights } from "../parts/weights.js";
import { address, isHidden } from "../url.js";
import { versionOf } from "../version.js";
import { Import } from "./import.js";

const PAGE = "24";

export function Models({ params }) {
  const search = useSearch(params, "models", { limit: PAGE });
  const load = async () => {
    const { models, next } = await get(`/models?${search.query}`);
    const usable = models.filter((model) => model.default);
    // All at once, so that no card moves another one.
    return { next, models: await Promise.all(usable.map(async (model) => ({ ...model, found: await versionOf(model.name, model.default.version).catch(() => undefined) }))) };
  };
  const { data, problem, isLost } = useLoaded(load, [search.query]);
  return html`
    <h1 id="models-title">Models</h1>
    <p class="lead">The weights of each model: ink on red counts for the digit, ink on blue against it.</p>
    <${Search} search=${search} kinds=${["versions"]} />
    <${Lost} when=${isLost} />
    ${problem && html`<p class="note">${problem.message}</p>`}
    ${data?.models.length === 0 && (search.isFiltered ? html`<${Nothing} search=${search} />` : html`<${Empty} href="/?view=train" label="Train a model">There is no model yet.<//>`)}
    <details id="import" class="card" hidden=${isHidden("import")}><summary>Import weights that were trained elsewhere</summary><${Import} /></details>
    <div class="models">${data?.models.map((model) => html`<${Card} key=${model.name} ...${model} />`)}</div>
    <${Older} search=${search} next=${data?.next}>More models<//>
  `;
}

function Card({ name, versions, aliases, tags, found, default: { version, metrics, title } }) {
  const facts = [`Version ${version} of ${versions.length} is in use`, metrics && `accuracy ${percent(metrics.validation_accuracy)}, loss ${metrics.validation_loss.toFixed(4)}`];
  const inside = address({ view: "models", model: `${name}/${version}` });
  return html`<article class="card">
    <h2><a href=${inside}>${name}</a></h2>
    ${title && html`<p class="lead">${title}</p>`}
    <p>${facts.filter(Boolean).join(" · ")} ${Object.entries(aliases ?? {}).map(([alias, number]) => html`<span key=${alias} class="chip">${alias}: version ${number}</span>`)} <${Tags} tags=${tags} view="models" /></p>
    <${Weights} name=${name} version=${version} found=${found} />
    <div class="row">
      <a class="button main" href=${address({ view: "draw", model: name })} aria-label=${`Draw with it: ${name}`}>Draw with it</a>
      <a class="button" href=${inside} hidden=${isHidden("inside")} aria-label=${`Look inside ${name}`}>Look inside</a>
    </div>
  </article>`;
}

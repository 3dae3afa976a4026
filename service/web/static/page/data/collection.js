// A collection: labelled images of one's own, which can be corrected, and are frozen into a data set to train on.

import { get, post, send, versionPath } from "../api.js";
import { count, moment } from "../format.js";
import { html, useState } from "../html.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLive } from "../parts/live.js";
import { Picture } from "../parts/picture.js";
import { address, go } from "../url.js";

const PAGE = 60;
const WEIGHT = 20; // how often each image of the collection stands among those of the model
const DIGITS = [...Array(10).keys()];

export function Collection({ params }) {
  const name = params.get("collection");
  const path = `/collections/${encodeURIComponent(name)}`;
  const before = params.get("before");
  const query = new URLSearchParams({ limit: String(PAGE), ...(before && { before }) });
  const load = async () => [{ collection: await get(path), ...(await get(`${path}/images?${query}`)) }, !before]; // others may add to it
  const { data, problem, isLost, again } = useLive(load, [`${path}?${query}`]);
  const [refused, setRefused] = useState(null);
  const attempt = (act) => act().then(again, setRefused);
  const relabel = (id) => (event) => attempt(() => send(`${path}/images/${id}`, { method: "PATCH", body: JSON.stringify({ label: Number(event.target.value) }), headers: { "Content-Type": "application/json" } }));
  const freeze = async () => {
    const { name: made } = await post(`${path}/versions`);
    go(address({ view: "data", dataset: made }));
  };
  const image = ({ id, label, created_at: at }) => html`<li key=${id} class="collected">
    <${Picture} path=${`${path}/images/${id}.png?upscale=3`} width="84" height="84" alt=${`A ${label}, added ${moment(at)}`} />
    <select aria-label="Label" value=${label} onChange=${relabel(id)}>${DIGITS.map((digit) => html`<option key=${digit} value=${digit}>${digit}</option>`)}</select>
    <button type="button" aria-label=${`Remove this ${label}`} onClick=${() => attempt(() => send(`${path}/images/${id}`, { method: "DELETE" }))}>×</button>
  </li>`;
  return html`
    <h1 id="data-title">Collection ${name}</h1>
    <p class="lead">Labelled images of your own. Change a label, or remove an image, before you freeze them into a data set to train on.</p>
    <${Lost} when=${isLost} />
    ${problem && html`<${Empty} href="/" label="Draw">${problem.status === 404 ? "There is no such collection. Draw a digit, and say what it should be." : problem.message}<//>`}
    <p class="error" role="alert" hidden=${!refused}>${refused?.message}</p>
    ${data && html`<div class="card row">
        <span>${count(data.collection.n_images, "image")}${data.collection.version === null ? "" : `, frozen last as ${name}-v${data.collection.version}`}.</span>
        <button type="button" class="main" disabled=${!data.collection.n_images} onClick=${() => teach(name).catch(setRefused)}>Teach it</button>
        <button type="button" disabled=${!data.collection.n_images} onClick=${() => freeze().catch(setRefused)}>Freeze into a data set</button>
        <a class="button" href=${address({ view: "draw", collect: name })}>Draw more</a>
        <${Delete} paths=${[path]} title=${`Delete the collection ${name}?`} words=${`Its ${count(data.collection.n_images, "image")} are lost. The data sets that were made of it stay.`} done=${() => go(address({ view: "data" }))} />
      </div>
      <p class="hint">Teach it: the model that reads drawings trains on, on its own images together with these, each of which counts as ${WEIGHT}. The result is a new version; the champion stays until you promote it.</p>
      <ul class="gallery">${data.images.map(image)}</ul>
      ${data.next && html`<a class="button" href=${address({ view: "data", collection: name, before: data.next })}>Older images</a>`}`}
  `;
}

// A job that begins with the weights of the default model.
async function teach(collection) {
  const { models, default: name } = await get("/models");
  const { version } = models.find((each) => each.name === name).default;
  const { config, dataset } = await get(versionPath(name, version));
  const sets = [{ name: dataset.name }, { name: collection, weight: WEIGHT }];
  const made = await post("/jobs", { model: config.model, start_from: `${name}/${version}`, name, dataset: sets, epochs: 2, learning_rate: 0.01 });
  go(address({ job: made.id }));
}

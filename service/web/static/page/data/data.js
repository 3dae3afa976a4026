// Data sets: how many images of each digit, and the images themselves.

import { DATASET, get, post } from "../api.js";
import { count, number } from "../format.js";
import { html } from "../html.js";
import { namesOf } from "../names.js";
import { imagePath } from "../parts/gallery.js";
import { Annotation, Title } from "../parts/annotation.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLoaded } from "../parts/live.js";
import { Refusal, useOnce } from "../parts/once.js";
import { FileLink, Picture } from "../parts/picture.js";
import { Older, Search, useSearch } from "../parts/search.js";
import { address, go, isHidden } from "../url.js";
import { Collection } from "./collection.js";
import { hasUpload, Upload } from "./upload.js";

const PAGE = 60;
const MAX_CHIPS = "50"; // data sets to choose from at a time
const PARTS = ["training", "test"];

export const Data = ({ params }) => (params.has("collection") ? html`<${Collection} params=${params} />` : html`<${Datasets} params=${params} />`);

function Datasets({ params }) {
  const name = params.get("dataset") ?? DATASET;
  const part = PARTS.includes(params.get("part")) ? params.get("part") : "training";
  const [label, after] = [params.get("label"), params.get("after")];
  const query = new URLSearchParams({ part, limit: String(PAGE), ...(label && { label }), ...(after && { after }) });
  const load = async () => {
    const path = `/datasets/${encodeURIComponent(name)}`;
    const [{ collections }, dataset, found] = await Promise.all([get(`/collections?${search.filter}`), get(path), get(`${path}/images?${query}`)]);
    return { collections, dataset, found };
  };
  const search = useSearch(params, "data", { limit: MAX_CHIPS });
  const { data, problem, isLost, again } = useLoaded(load, [name, `${query}`, search.filter]);
  const { data: list, again: listAgain } = useLoaded(() => get(`/datasets?${search.query}`), [search.query]);
  const changed = () => Promise.all([again(), listAgain()]);
  const here = { view: "data", dataset: name, part, ...(label && { label }) };
  const chip = ({ name: its, title, tags }) => html`<a key=${its} class="chip" href=${search.changed({ dataset: [["dataset", its]] })} aria-current=${its === name ? "true" : null}>${title}${tagged(tags)}</a>`;
  return html`
    <h1 id="data-title">Data</h1>
    <p class="lead">The images that models are trained on. Click one to see a prediction for it.</p>
    <details id="upload" class="card" open=${hasUpload()} hidden=${isHidden("upload")}><summary>Add a data set of your own</summary><${Upload} /></details>
    <${Collections} collections=${data?.collections ?? []} />
    <${Search} search=${search} kinds=${["datasets", "collections"]} />
    <div class="row filter" role="group" aria-label="Data sets">${list?.datasets.map(chip)}${list?.datasets.length === 0 && "No data set matches."}<${Older} search=${search} next=${list?.next}>More data sets<//></div>
    <div id="dataset">
      <${Lost} when=${isLost} />
      ${problem && html`<${Empty} href="/?view=data" label="See the data sets">${problem.status === 404 ? "There is no such data set." : problem.message}<//>`}
      ${data && html`<${Shown} ...${data} here=${here} again=${changed} />`}
    </div>
  `;
}

const tagged = (tags) => tags.map((tag) => ` #${tag}`).join("");

function Collections({ collections }) {
  const { start, isBusy, problem } = useOnce();
  const make = (event) => {
    event.preventDefault();
    const { value: name } = event.target.elements.collection;
    start(async () => {
      await post("/collections", { name });
      await go(address({ view: "data", collection: name }));
    });
  };
  return html`<div class="row collections"><span>Collections</span>
    ${collections.map(({ name, title, tags, n_images }) => html`<a key=${name} class="chip" href=${address({ view: "data", collection: name })}>${title || name}, ${count(n_images, "image")}${tagged(tags)}</a>`)}
    <form class="row" onSubmit=${make}><input type="text" name="collection" aria-label="Name of a new collection" placeholder="lesson-1" pattern="[a-z][a-z0-9\\-]*" maxlength="32" required /><button type="submit" disabled=${isBusy}>New collection</button></form>
    <${Refusal} problem=${problem} />
  </div>`;
}

function Shown({ dataset, found, here, again }) {
  const nameOf = namesOf(dataset);
  const { name, title, source, licence, training, test, sha256, classes } = dataset;
  const { label, ...all } = here;
  const chip = (text, values, isHere) => html`<a key=${text} class="chip" href=${address(values)} aria-current=${isHere ? "true" : null}>${text}</a>`;
  const image = ({ index, label: its }) => html`<li key=${index}><a href=${address({ view: "draw", image: `${name}/${here.part}/${index}` })}>
    <${Picture} path=${imagePath(name, index, here.part)} width="84" height="84" alt=${`${here.part} image ${index}: ${nameOf(its)}`} />
    <span>${nameOf(its)}</span><span class="hint">no. ${number(index)}</span>
  </a></li>`;
  return html`
    <div class="card">
      <${Title} path=${`/datasets/${encodeURIComponent(name)}`} title=${title} what=${name} changed=${again}><h2>${title}</h2><//>
      <p>${`${number(training.n_images)} training images and ${number(test.n_images)} test images of 28×28 grey levels. ${[source, licence].filter(Boolean).join(", ")}`}</p>
      <${Counts} by=${(here.part === "test" ? test : training).n_by_class} nameOf=${nameOf} here=${here} />
      <div class="row">
        <a class="button main" href=${address({ view: "train", dataset: name })}>Train on it</a>
        <${FileLink} path=${`/datasets/${encodeURIComponent(name)}/contact-sheet.png?part=${here.part}&per_class=20`}>Contact sheet (.png)<//>
        ${name !== DATASET && html`<${Delete} paths=${[`/datasets/${encodeURIComponent(name)}`]} title=${`Delete ${title}?`} words="Its images are lost. Models that were trained on it stay, but cannot be trained again." done=${() => go(address({ view: "data" }))} />`}
      </div>
      <p class="hint checksum">SHA-256 ${sha256}</p>
    </div>
    <${Annotation} path=${`/datasets/${encodeURIComponent(name)}`} kind="datasets" view="data" tags=${dataset.tags} notes=${dataset.notes} changed=${again} />
    <div class="row filter" role="group" aria-label="Which images">
      ${PARTS.map((part) => chip(part, { ...here, part }, part === here.part))}
      ${chip("all classes", all, label === undefined)}
      ${classes.map((each) => chip(nameOf(each), { ...here, label: each }, String(each) === label))}
    </div>
    <ul class="gallery images">${found.images.map(image)}</ul>
    ${found.next !== null && html`<a class="button" href=${address({ ...here, after: found.next })}>More images</a>`}
  `;
}

// A bar for each class; a click shows its images.
function Counts({ by, nameOf, here }) {
  const most = Math.max(...Object.values(by));
  const bar = ([label, n]) => html`<li key=${label} class=${here.label === label ? "best" : ""}>
    <span class="digit"><a href=${address({ ...here, label })}>${nameOf(label)}</a></span>
    <span class="track" aria-hidden="true"><span class="fill" style=${{ transform: `scaleX(${n / most})` }}></span></span>
    <span class="value">${number(n)}</span>
  </li>`;
  return html`<ol class="bars counts" aria-label=${`Images of each class in the ${here.part} part`}>${Object.entries(by).map(bar)}</ol>`;
}

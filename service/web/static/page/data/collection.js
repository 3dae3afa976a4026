// A collection: labelled images of one's own, or of a class, with what the model reads in them; they can be corrected,
// taught, and frozen into a data set to train on.

import { get, patch, post, send } from "../api.js";
import { paint, written } from "../draw/ink.js";
import { count, moment, percent } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { Annotation, Heading } from "../parts/annotation.js";
import { Delete } from "../parts/delete.js";
import { Empty, Lost, useLive } from "../parts/live.js";
import { Act } from "../parts/once.js";
import { Picture } from "../parts/picture.js";
import { teach, Taught } from "../teach.js";
import { address, go, setParameters } from "../url.js";
import { ClassLink } from "./class_link.js";

const PAGE = 60;
const SIDE_PX = 84;
const DIGITS = [...Array(10).keys()];

export function Collection({ params }) {
  const name = params.get("collection");
  const path = `/collections/${encodeURIComponent(name)}`;
  const [before, misread] = [params.get("before"), params.get("misread")];
  const query = new URLSearchParams({ limit: String(PAGE), ...(before && { before }), ...(misread && { misread }) });
  const [taught, setTaught] = useState(params.get("taught"));
  const [refused, setRefused] = useState(null);
  const read = useRef({ of: "", readings: null });
  // Others may add to it: it is looked at every second, and read again when it has changed.
  const load = async () => {
    const collection = await get(path);
    const of = JSON.stringify(collection);
    if (read.current.of !== of) read.current = { of, readings: await get(`${path}/readings?${query}`) };
    return [{ collection, ...read.current.readings }, !before];
  };
  const { data, problem, isLost, again } = useLive(load, [`${path}?${query}`]);
  const readAgain = () => {
    read.current.of = "";
    again();
  };
  const show = (id) => {
    setParameters({ taught: id });
    setTaught(id);
  };
  const attempt = (act) => act().then(readAgain, setRefused);
  const relabel = (id, label) => attempt(() => patch(`${path}/images/${id}`, { label: Number(label) }));
  const remove = (id) => attempt(() => send(`${path}/images/${id}`, { method: "DELETE" }));
  const freeze = async () => {
    const { name: made } = await post(`${path}/versions`);
    await go(address({ view: "data", dataset: made }));
  };
  const readBy = async (made) => {
    const { n_images, n_misread } = await get(`${path}/readings?limit=1&model=${made.name}/${made.version}`);
    return `${n_misread} of ${n_images}`;
  };
  const here = { view: "data", collection: name };
  const chip = (text, its) => html`<a class="chip" href=${address({ ...here, ...(its && { misread: its }) })} aria-current=${misread === its ? "true" : null}>${text}</a>`;
  return html`
    <${Heading} id="data-title" path=${data && path} title=${data?.collection.title ?? ""} otherwise=${`Collection ${name}`} changed=${readAgain} />
    <p class="lead">Labelled images of your own, or of a class. Change a label, or remove an image, before you teach them or freeze them into a data set.</p>
    <${Lost} when=${isLost} />
    ${problem && html`<${Empty} href="/" label="Draw">${problem.status === 404 ? "There is no such collection. Draw a digit, and say what it should be." : problem.message}<//>`}
    <p class="error" role="alert" hidden=${!refused}>${refused?.message}</p>
    ${data && html`<div class="card">
        <div class="row">
          <span>${count(data.collection.n_images, "image")}${data.collection.version === null ? "" : `, frozen last as ${name}-v${data.collection.version}`}.</span>
          <${Act} class="main" disabled=${!data.collection.n_images} act=${async () => show(await teach(name))}>Teach it<//>
          <${Act} disabled=${!data.collection.n_images} act=${freeze}>Freeze into a data set<//>
          <a class="button" href=${address({ view: "draw", collect: name })}>Draw more</a>
          <${Delete} paths=${[path]} title=${`Delete the collection ${name}?`} words=${`Its ${count(data.collection.n_images, "image")} are lost. The data sets that were made of it stay.`} done=${() => go(address({ view: "data" }))} />
        </div>
        <${ClassLink} name=${name} />
        <p class="hint">Teach it: the model that reads drawings trains on for a few seconds, on its own images together with these. The result is a new version; the champion stays until you promote it. Of a digit that has several images, one in six is kept for testing and not taught.</p>
      </div>
      <${Annotation} path=${path} kind="collections" view="data" tags=${data.collection.tags} notes=${data.collection.notes} changed=${readAgain} />
      ${taught && html`<${Taught} id=${taught} label="Misread here" read=${readBy} inputs=${[read.current.of]} changed=${readAgain} close=${() => show(null)} />`}
      <div class="row filter" role="group" aria-label="Which images">
        ${chip(`all ${data.n_images}`, null)}${chip(`misread ${data.n_misread}`, "true")}${chip(`read right ${data.n_images - data.n_misread}`, "false")}
        <span class="hint">read by ${data.model}, version ${data.version}</span>
      </div>
      <ul class="gallery">${data.images.map((image) => html`<${Collected} key=${image.id} path=${`${path}/images/${image.id}`} image=${image} relabel=${relabel} remove=${remove} />`)}</ul>
      ${data.next && html`<a class="button" href=${address({ ...here, ...(misread && { misread }), before: data.next })}>Older images</a>`}`}
  `;
}

function Collected({ path, image, relabel, remove }) {
  const { id, label, class_name: digit, verdict, probability, is_misread: isMisread, n_strokes: isDrawn, created_at: at } = image;
  const alt = `A ${label}, added ${moment(at)}`;
  const reads = `reads ${digit}${verdict === "digit" ? "" : "?"}, ${percent(probability)}`;
  return html`<li class=${`collected ${isMisread ? "misread" : ""}`}>
    ${isDrawn ? html`<${Drawn} path=${`${path}/strokes`} alt=${alt} />` : html`<${Picture} path=${`${path}.png?upscale=3`} width=${SIDE_PX} height=${SIDE_PX} alt=${alt} />`}
    <span class="reads">${isMisread ? html`<b>${reads}</b>` : reads}</span>
    <select aria-label="Label" value=${label} onChange=${(event) => relabel(id, event.target.value)}>${DIGITS.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select>
    <${Act} aria-label=${`Remove this ${label}`} act=${() => remove(id)}>×<//>
  </li>`;
}

// A drawing from its strokes, as sharp as the screen; a click opens it on the paper.
function Drawn({ path, alt }) {
  const canvas = useRef(null);
  const [ink, setInk] = useState("");
  useEffect(() => {
    let isLeft = false;
    const load = async () => {
      const strokes = (await get(path)).map(({ width, is_eraser: isEraser, points }) => ({ width, isEraser, points }));
      if (isLeft) return;
      setInk(written(strokes));
      canvas.current.width = canvas.current.height = Math.round(SIDE_PX * devicePixelRatio);
      paint(canvas.current, strokes);
    };
    load().catch(() => {}); // it was deleted meanwhile
    return () => (isLeft = true);
  }, [path]);
  // Until the strokes have come there is nothing to open.
  return html`<a href=${ink ? address({ ink }) : null}><canvas ref=${canvas} role="img" aria-label=${ink ? `${alt}. Open it on the paper.` : alt}></canvas></a>`;
}

// The hidden units with the largest shares in the prediction for a drawing, with their pictures.

import { signed } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { Shares } from "../parts/canvas.js";
import { unitPicture } from "../weights_file.js";

const SHOWN = 8; // of each layer

export function Units({ answer, version, ...attributes }) {
  const [pictures, setPictures] = useState({});
  const place = useRef(null);
  const [isSeen, setSeen] = useState(false);
  const layers = [...new Set(answer.units.map(({ layer }) => layer))].map((layer) => answer.units.filter((unit) => unit.layer === layer).slice(0, SHOWN));
  const wanted = layers.flat();

  // The weights of a network can be a megabyte: they are fetched when this part is scrolled into view.
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && setSeen(true));
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (!isSeen) return;
    let isLeft = false;
    const load = async ({ layer, unit }) => [`${layer}/${unit}`, await unitPicture(version, layer, unit)];
    Promise.all(wanted.map(load)).then((found) => isLeft || setPictures(Object.fromEntries(found)), () => {});
    return () => (isLeft = true);
  }, [answer, isSeen]);

  const tile = ({ layer, unit, activation, share }) => html`<li key=${unit} class="tile" data-unit=${`${layer}/${unit}`}>
    <${Shares} values=${pictures[`${layer}/${unit}`]} role="img" aria-label=${`Unit ${unit} of layer ${layer}: the weights of the pixels`} />
    <span class="digit">${signed(share, 2)}</span>
    <span class="hint">unit ${unit}${"\n"}active ${activation.toFixed(2)}</span>
  </li>`;
  const { nameOf } = version;
  const about = answer.against === null ? `the logit of ${nameOf(answer.digit)}` : `the logit of ${nameOf(answer.digit)} minus that of ${nameOf(answer.against)}`;
  return html`<div class="card wide" id="units" ref=${place} ...${attributes}>
    <h2>Hidden units with the largest shares</h2>
    <p class="hint">Each picture shows the weights that lead from the pixels to a unit: ink on red activates it. The number is its share in ${about}, compared to a blank image: a unit that is silent now and was active there has one too.</p>
    ${layers.map((units) => html`<h3>Layer ${units[0].layer}</h3><ul class="tiles units">${units.map(tile)}</ul>`)}
  </div>`;
}

// Time travel: the weights of a run, its confusions and its prediction for a digit, at every check; at the newest, live.

import { get } from "../api.js";
import { lastDrawn } from "../drawn.js";
import { number, percent } from "../format.js";
import { html, useEffect, useMemo, useNewest, useRef, useState } from "../html.js";
import { Newest } from "../newest.js";
import { Bars } from "../parts/bars.js";
import { Grey } from "../parts/canvas.js";
import { Matrix } from "../parts/confusion.js";
import { useLoaded } from "../parts/live.js";
import { Picture, WeightsFrame } from "../parts/picture.js";
import { LayerTiles } from "../parts/tiles.js";
import { address, isHidden, query, setParameters } from "../url.js";
import { Past } from "./past.js";

const EVERY_MS = 700;
const PLAY_MS = 60;

export function Travel({ job, checks, nameOf, setPast, isOver }) {
  const past = useMemo(() => new Past(job.id), []);
  const [loaded, setLoaded] = useState(0); // counts what was fetched
  const [wanted, setWanted] = useState(() => (query().has("step") ? Number(query().get("step")) : null)); // null: the newest
  const [isPlaying, setPlaying] = useState(false);
  const [isShared, setShared] = useState(false);
  const asked = useLoaded(() => lastDrawn(job.config.dataset, job.config.classes.at(-1)), []).data;
  const n = past.steps.length;
  const later = past.steps.findIndex((step) => step >= wanted);
  const place = wanted === null || later < 0 ? n - 1 : later;
  const isLive = wanted === null;
  const step = past.steps[place];

  const loading = useMemo(() => new Newest(async () => {
    await past.load().catch(() => {}); // the next check repeats the request
    setLoaded((count) => count + 1);
  }), []);
  useSnapshots(past, loading, checks.length, isOver);

  const travel = (to) => {
    const chosen = to >= past.steps.length - 1 ? null : past.steps[to];
    setParameters({ step: chosen });
    setWanted(chosen);
  };
  useEffect(() => setPast(isLive || step === undefined ? null : step), [isLive, step]);
  const here = useNewest({ place, travel });
  useEffect(() => {
    if (!isPlaying) return;
    if (isLive) travel(0);
    const player = setInterval(() => here.current.travel(here.current.place + 1), PLAY_MS);
    return () => clearInterval(player);
  }, [isPlaying]);
  useEffect(() => {
    if (isLive && loaded) setPlaying(false);
  }, [isLive]);

  const heading = html`<h2>Weights at each check</h2>`;
  const frame = (inside) => html`<div class="card travel" hidden=${isHidden("travel")}>${heading}${inside}</div>`;
  if (!n && isOver && loaded && job.metrics.latest) return frame(html`<${LastWeights} job=${job} />`);
  const check = checks.find((each) => each.step === step);
  const found = check ? ` in epoch ${number(check.epoch + 1)}: validation loss ${check.validation_loss.toFixed(4)}, accuracy ${percent(check.validation_accuracy)}` : "";
  const words = n ? `${isLive && !isOver ? "Now, after" : "After"} step ${number(step)}${found}.` : "The weights appear with the first check.";
  return frame(html`
    <div class="row">
      <button type="button" disabled=${n < 2} onClick=${() => setPlaying(!isPlaying)}>${isPlaying ? "Stop" : "Play"}</button>
      <input type="range" min="0" max=${Math.max(0, n - 1)} value=${Math.max(0, place)} disabled=${n < 2} aria-label="Check" aria-valuetext=${`step ${step}`} onInput=${(event) => travel(Number(event.target.value))} />
      <label class="tick"><input type="checkbox" checked=${isShared} onChange=${(event) => setShared(event.target.checked)} />one scale</label>
    </div>
    <p class="when" role="status">${words}</p>
    ${n > 0 && html`<${Then} past=${past} place=${place} job=${job} nameOf=${nameOf} isShared=${isShared} />`}
    <div class="then">
      <div><h3>Prediction for your digit</h3>${asked && html`<${Prediction} past=${past} place=${place} asked=${asked} job=${job} nameOf=${nameOf} />`}</div>
      <div hidden=${!n}><h3>Confusions</h3><${Confusions} jobId=${job.id} step=${step} isLive=${isLive} nameOf=${nameOf} refetch=${() => {
        past.isThinned = true;
        loading.run();
      }} /></div>
    </div>
  `);
}

// Fetches the snapshots at the first check, then now and then, and once more at the end: those that the server has kept.
function useSnapshots(past, loading, nChecks, isOver) {
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (!nChecks || timer.current) return;
    timer.current = setTimeout(() => {
      timer.current = null;
      loading.run();
    }, past.steps.length ? EVERY_MS : 0);
  }, [nChecks]);
  useEffect(() => {
    if (!isOver) return;
    past.isThinned = true;
    loading.run();
  }, [isOver]);
}

// The weights at a place: of each class, or of the hidden units next to the pixels.
function Then({ past, place, job, nameOf, isShared }) {
  return html`<${LayerTiles} matrix=${past.at(place)} config=${job.config} nameOf=${nameOf} isShared=${isShared} />`;
}

function Prediction({ past, place, asked: { pixels, isDrawn }, job, nameOf }) {
  const { classes } = job.config;
  const probabilities = past.steps.length ? past.probabilities(place, pixels, classes) : null;
  const best = probabilities && classes.reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
  return html`<div class="asked">
    <figure>
      <${Grey} pixels=${pixels} role="img" aria-label="The digit to classify" />
      <p class="hint">${isDrawn ? "Your last drawing. " : "A test image. "}<a href=${address({ view: "draw" })}>${isDrawn ? "Draw another" : "Draw one of your own"}</a></p>
    </figure>
    ${probabilities && html`<${Bars} probabilities=${probabilities} best=${best} nameOf=${nameOf} aria-label="Probability of each digit at this check" />`}
  </div>`;
}

// refetch(): called when the server has thinned the run, so that a step in the past is gone.
function Confusions({ jobId, step, isLive, nameOf, refetch }) {
  const [found, setFound] = useState(null);
  const newest = useNewest({ step, isLive });
  const counting = useMemo(() => {
    let counted = null;
    return new Newest(async () => {
      const { step } = newest.current;
      if (step === undefined || step === counted) return;
      try {
        setFound(await get(`/jobs/${jobId}/snapshots/${step}/confusion`));
        counted = step;
      } catch (problem) {
        if (problem.status === 404 && !newest.current.isLive) refetch(); // live, the next check repeats the request
      }
    });
  }, []);
  useEffect(() => {
    counting.run();
  }, [step]);
  return html`<div class="confusing">${found && html`<${Matrix} ...${found} nameOf=${nameOf} />`}</div>`;
}

// Some runs have no snapshots but the last weights.
function LastWeights({ job }) {
  const alt = "The weights, one picture for each digit: red where ink counts for it, blue where it counts against it";
  return html`<${WeightsFrame}><${Picture} class="weights" path=${`/jobs/${job.id}/weights.png?scale=per_tile&upscale=4`} alt=${alt} /><//>`;
}

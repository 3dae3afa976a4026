// Draw: the paper, the prediction for what is on it, and why.

import { DATASET, get, post, versionPath } from "../api.js";
import { keepDrawn } from "../drawn.js";
import { html, useEffect, useMemo, useNewest, useState } from "../html.js";
import { Newest } from "../newest.js";
import { useLoaded } from "../parts/live.js";
import { isHidden, setParameters } from "../url.js";
import { Cases } from "./cases.js";
import { isBlank, useDrawing } from "./drawing.js";
import { Evidence } from "./evidence.js";
import { Flip } from "./flip.js";
import { hasInk, pictureOf, WIDTHS } from "./ink.js";
import { Paper } from "./paper.js";
import { Units } from "./units.js";
import { Verdict } from "./verdict.js";
import { versionOf } from "../version.js";

const RETRY_MS = 1000;
const ANY = { digit: "", against: "" };
const NOT_A_PICTURE = new Error("This file is not a picture. Use PNG, JPEG or WebP.");
const UNREADABLE = new Error("This picture cannot be read. Try a PNG or a JPEG.");

export function Draw({ params }) {
  const [problem, setProblem] = useState(null);
  const showProblem = (error) => setProblem(error.name === "InvalidStateError" ? UNREADABLE : error);
  const { drawing, canUndo, change, clear, undo, open, sample } = useDrawing(params, showProblem);
  const [tool, setTool] = useState({ width: WIDTHS.medium, isEraser: false });
  const [chosen, setChosen] = useState(ANY);
  const { data: models, problem: withoutModels } = useLoaded(() => get("/models"), []);
  const [model, setModel] = useState(params.get("model") ?? "");
  const [{ answer, version }, setShown] = useState({ answer: null, version: null });
  const input = useNewest({ drawing, chosen, model, models });

  // What is drawn is predicted while a stroke grows; of several requests meanwhile only the last is made.
  const request = useMemo(() => {
    let timer = null;
    const live = { strokes: null };
    const newest = new Newest(async () => {
      clearTimeout(timer);
      try {
        const shown = await explained({ ...input.current, ...(live.strokes && { drawing: { strokes: live.strokes, picture: null } }) });
        const isOutdated = shown.answer && !live.strokes && isBlank(input.current.drawing);
        if (isOutdated) return;
        setShown(shown);
        setProblem(null);
        if (shown.answer) keepDrawn(shown.answer.pixels.flat());
      } catch (error) {
        showProblem(error);
        if (error.isTransient) timer = setTimeout(() => newest.run(), RETRY_MS);
      }
    });
    return { run: () => newest.run(), live, stop: () => clearTimeout(timer) };
  }, []);
  useEffect(() => {
    request.live.strokes = null;
    request.run();
  }, [drawing, chosen, model, models]);
  useEffect(() => request.stop, []);
  useEffect(() => {
    if (withoutModels) setProblem(withoutModels);
  }, [withoutModels]);
  useEffect(() => setModel(params.get("model") ?? ""), [params.get("model")]);
  useEffect(() => {
    if (isBlank(drawing)) setChosen(ANY);
  }, [drawing]);

  const attempt = (act) => act().catch(showProblem);
  const openOne = (files) => {
    const file = [...files].find((each) => each.type.startsWith("image/"));
    if (file) attempt(() => open(file));
    else if (files.length) setProblem(NOT_A_PICTURE);
  };
  const another = () => {
    setChosen(ANY);
    attempt(() => sample(version?.dataset ?? DATASET));
  };
  const act = useNewest({ clear, undo, another, openOne });
  useEffect(() => {
    const pressed = (event) => {
      if (event.altKey || event.target.closest?.("input, select, textarea, dialog")) return;
      const isCommand = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      if (key === "z") act.current.undo();
      else if (isCommand) return;
      else if (key === "c" || (["delete", "escape"].includes(key) && event.target.id === "pad")) act.current.clear();
      else if (key === "t") act.current.another();
      else return;
      event.preventDefault();
    };
    const pasted = (event) => act.current.openOne(event.clipboardData.files);
    addEventListener("keydown", pressed);
    addEventListener("paste", pasted);
    return () => {
      removeEventListener("keydown", pressed);
      removeEventListener("paste", pasted);
    };
  }, []);

  const live = (strokes) => {
    if (drawing.picture) setChosen(ANY);
    request.live.strokes = strokes;
    request.run();
  };
  const nameOf = version?.nameOf ?? String;
  const choose = (changes) => setChosen({ ...chosen, ...changes });
  const explain = (label) => {
    choose({ digit: label });
    document.getElementById("evidence").scrollIntoView({ block: "nearest" });
  };
  const pick = (event) => {
    setParameters({ model: event.target.value || null });
    setChosen(ANY);
    setModel(event.target.value);
  };
  return html`
    <h1 id="draw-title">Draw a digit, and see why</h1>
    <p class="lead">
      The model weighs every pixel and adds up the results. Draw with a mouse, a pen or a finger, ${""}<a href="/?view=train">or make a model of your own</a>.
    </p>
    <div class="drawing">
      <${PaperCard} ...${{ drawing, tool, setTool, live, change, clear, undo, canUndo, another, openOne }} isBlank=${isBlank(drawing) && !answer}>
        <div hidden=${isHidden("model")}>
          <label for="model">Model</label>
          <select id="model" value=${model} onChange=${pick}>${modelOptions(models, model)}</select>
        </div>
      <//>
      <${Verdict} answer=${answer} nameOf=${nameOf} label=${drawing.source?.label ?? null} problem=${problem} />
      <${Evidence} answer=${answer} nameOf=${nameOf} chosen=${chosen} choose=${choose} hidden=${isHidden("evidence")} />
      ${version && html`<${Cases} version=${version} answer=${answer} choose=${explain} hidden=${isHidden("cases")} />`}
      ${answer?.units.length > 0 && html`<${Units} answer=${answer} version=${version} hidden=${isHidden("units")} />`}
      ${answer?.flip && html`<${Flip} answer=${answer} nameOf=${nameOf} hidden=${isHidden("flip")} />`}
    </div>
  `;
}

// The answer for a drawing, with its version; without ink only the version.
async function explained({ drawing, chosen, model, models }) {
  const [name, number] = model.split("/");
  if (isBlank(drawing)) {
    const shown = name || models?.default;
    const version = number ?? models?.models.find((each) => each.name === shown)?.default?.version;
    return { answer: null, version: version ? await versionOf(shown, version) : null };
  }
  const path = number ? versionPath(name, number) : name ? `/models/${encodeURIComponent(name)}` : "";
  const asked = Object.fromEntries(Object.entries(chosen).filter(([, label]) => label !== ""));
  if (asked.against === asked.digit) delete asked.against;
  const content = drawing.picture ?? (await pictureOf(drawing.strokes));
  const answer = await post(`${path}/explain?${new URLSearchParams(asked)}`, content);
  return { answer, version: await versionOf(answer.model, answer.version) };
}

function modelOptions(models, chosen) {
  const usable = (models?.models ?? []).filter((each) => each.default);
  const options = usable.map((each) => [each.name, `${each.name}, version ${each.default.version}`]);
  if (chosen && !options.some(([value]) => value === chosen)) options.push([chosen, chosen.replace("/", ", version ")]);
  return [["", models ? `The default: ${models.default}` : "The default"], ...options].map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`);
}

function PaperCard({ drawing, tool, setTool, live, change, clear, undo, canUndo, another, openOne, isBlank: isInviting, children }) {
  const [isOver, setOver] = useState(false);
  const [isStarted, setStarted] = useState(false);
  const over = (event) => {
    event.preventDefault();
    setOver(true);
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    openOne(event.dataTransfer.files);
  };
  const pen = (name) => html`<label class="pen" title=${`${name} pen`}>
    <input type="radio" name="pen" aria-label=${`${name} pen`} checked=${!tool.isEraser && tool.width === WIDTHS[name]} onChange=${() => setTool({ width: WIDTHS[name], isEraser: false })} />
    <span class=${`dot ${name}`} aria-hidden="true"></span>
  </label>`;
  const opened = (event) => {
    openOne(event.target.files);
    event.target.value = "";
  };
  return html`<div class=${`card pad-card ${isOver ? "over" : ""}`} onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <div class="paper" onPointerDown=${() => setStarted(true)} onPointerUp=${() => setStarted(false)}>
      <${Paper} drawing=${drawing} tool=${tool} live=${live} done=${(strokes) => change({ strokes })} />
      ${isInviting && !isStarted && html`<p id="invitation" aria-hidden="true">Draw here</p>`}
    </div>
    <div class="tools">
      <div class="row">
        <button type="button" id="clear" onClick=${clear}>Clear <kbd aria-hidden="true">C</kbd></button>
        <button type="button" id="undo" onClick=${undo} disabled=${!canUndo}>Undo <kbd aria-hidden="true">Z</kbd></button>
        <div class="pens" role="radiogroup" aria-label="Pen">
          ${Object.keys(WIDTHS).map(pen)}
          <label class="pen"><input type="radio" name="pen" checked=${tool.isEraser} onChange=${() => setTool({ width: 2 * WIDTHS.medium, isEraser: true })} disabled=${!hasInk(drawing.strokes)} />Eraser</label>
        </div>
      </div>
      <div class="row">
        <button type="button" id="sample" onClick=${another} hidden=${isHidden("sample")}>Test image <kbd aria-hidden="true">T</kbd></button>
        <label class="button camera">Photograph<input type="file" accept="image/*" capture="environment" onChange=${opened} /></label>
        <label class="button">Open a picture<input type="file" id="picture" accept="image/png,image/jpeg,image/webp" onChange=${opened} /></label>
      </div>
      <p class="hint">You can also paste a picture, or drop one here.</p>
      ${children}
    </div>
  </div>`;
}

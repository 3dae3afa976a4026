// Draw: the paper, the prediction for what is on it, and why.

import { all, DATASET, post, versionPath } from "../api.js";
import { keepDrawn } from "../drawn.js";
import { html, useEffect, useMemo, useNewest, useState } from "../html.js";
import { Newest } from "../newest.js";
import { useLoaded } from "../parts/live.js";
import { isHidden, setParameters } from "../url.js";
import { Batch, isBatch } from "./batch.js";
import { Cases } from "./cases.js";
import { contentOf, isBlank, useDrawing } from "./drawing.js";
import { Evidence } from "./evidence.js";
import { Flip } from "./flip.js";
import { WIDTHS } from "./ink.js";
import { PaperCard } from "./paper_card.js";
import { Should } from "./should.js";
import { Steps } from "./steps.js";
import { Units } from "./units.js";
import { Verdict } from "./verdict.js";
import { versionOf } from "../version.js";

const RETRY_MS = 1000;
const ANY = { digit: "", against: "" };
const NOTHING = { answer: null, version: null, content: null, reading: null };
const NOT_A_PICTURE = new Error("This file is not a picture. Use PNG, JPEG or WebP.");
const UNREADABLE = new Error("This picture cannot be read. Try a PNG or a JPEG.");

export function Draw({ params }) {
  const [problem, setProblem] = useState(null);
  const showProblem = (error) => setProblem(error.name === "InvalidStateError" ? UNREADABLE : error);
  const { drawing, canUndo, change, clear, undo, open, sample } = useDrawing(params, showProblem);
  const [tool, setTool] = useState({ width: WIDTHS.medium, isEraser: false });
  const [chosen, setChosen] = useState(ANY);
  const { data: models, problem: withoutModels } = useLoaded(() => all("models"), []);
  const isNarrow = Boolean(withoutModels?.isScope); // a key of a class: it predicts and collects
  const [model, setModel] = useState(params.get("model") ?? "");
  const [{ answer, version, content, reading }, setShown] = useState(NOTHING);
  const [batch, setBatch] = useState(null); // files that are read together
  const [taught, setTaught] = useState(params.get("taught")); // the job that taught the model
  const [teaching, setTeaching] = useState(null); // its module, which most visits do not need
  useEffect(() => {
    if (taught) import("../teach.js").then(setTeaching, showProblem);
  }, [taught]);
  const input = useNewest({ drawing, chosen, model, models });

  // What is drawn is predicted while a stroke grows; of several requests meanwhile only the last is made.
  const request = useMemo(() => {
    let timer = null;
    const live = { strokes: null };
    const newest = new Newest(async () => {
      clearTimeout(timer);
      try {
        const shown = await explained({ ...input.current, ...(live.strokes && { drawing: { strokes: live.strokes, picture: null }, isGrowing: true }) });
        const isOutdated = shown.answer && !live.strokes && isBlank(input.current.drawing);
        if (isOutdated) return;
        setShown(shown);
        setProblem(null);
        if (shown.answer) keepDrawn(shown.answer.pixels.flat());
      } catch (error) {
        if (error.status !== 429) showProblem(error); // of a hand that is faster than it may be, the rest is read a moment later
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
    if (withoutModels && !isNarrow) setProblem(withoutModels);
  }, [withoutModels]);
  useEffect(() => setModel(params.get("model") ?? ""), [params.get("model")]);
  useEffect(() => {
    if (isBlank(drawing)) setChosen(ANY);
  }, [drawing]);

  const attempt = (act) => act().catch(showProblem);
  const openAll = (files) => {
    const pictures = [...files].filter((each) => each.type.startsWith("image/") || isBatch([each]));
    if (isBatch(pictures)) setBatch(pictures);
    else if (pictures.length) attempt(() => open(pictures[0]));
    else if (files.length) setProblem(NOT_A_PICTURE);
  };
  const another = () => {
    setChosen(ANY);
    attempt(() => sample(version?.dataset ?? DATASET));
  };
  const act = useNewest({ clear, undo, another, openAll });
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
    const pasted = (event) => act.current.openAll(event.clipboardData.files);
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
  const showTaught = (id) => {
    setParameters({ taught: id });
    setTaught(id);
  };
  const readBy = async ({ name, version }) => {
    if (isBlank(drawing)) return "–";
    const { predictions } = await post(`${versionPath(name, version)}/predict`, await contentOf(drawing));
    return teaching.inWords(predictions[0]);
  };
  const pick = (event) => {
    setParameters({ model: event.target.value || null });
    setChosen(ANY);
    setModel(event.target.value);
  };
  return html`
    <h1 id="draw-title">Draw a digit, and see why</h1>
    <p class="lead">
      The model weighs every pixel and adds up the results. Draw with a mouse, a pen or a finger${isNarrow ? "" : html`, ${""}<a href="/?view=train">or make a model of your own</a>`}.
    </p>
    <div class="drawing">
      <${PaperCard} ...${{ drawing, tool, setTool, live, change, clear, undo, canUndo, another, openAll, reading, isNarrow }} isBlank=${isBlank(drawing) && !answer}>
        <div hidden=${isHidden("model") || isNarrow}>
          <label for="model">Model</label>
          <select id="model" value=${model} onChange=${pick}>${modelOptions(models, model)}</select>
        </div>
      <//>
      <${Verdict} answer=${answer} reading=${reading} nameOf=${nameOf} label=${drawing.source?.label ?? null} problem=${problem}>
        ${answer && answer.verdict !== "blank" && !reading && !isHidden("collect") && html`<${Should} drawing=${drawing} classes=${version?.classes ?? Object.keys(answer.probabilities)} nameOf=${nameOf} isNarrow=${isNarrow} taught=${showTaught} clear=${clear} />`}
      <//>
      ${taught && teaching && html`<${teaching.Taught} id=${taught} label="This drawing" read=${readBy} inputs=${[drawing]} changed=${request.run} close=${() => showTaught(null)} />`}
      <${Evidence} answer=${answer} nameOf=${nameOf} chosen=${chosen} choose=${choose} hidden=${isHidden("evidence")} />
      ${batch && html`<${Batch} files=${batch} path=${pathOf(model)} close=${() => setBatch(null)} />`}
      ${answer && html`<${Steps} answer=${answer} content=${content} hidden=${isHidden("steps")} />`}
      ${version && html`<${Cases} version=${version} answer=${answer} choose=${explain} hidden=${isHidden("cases")} />`}
      ${answer?.units.length > 0 && version && html`<${Units} answer=${answer} version=${version} hidden=${isHidden("units")} />`}
      ${answer?.flip && html`<${Flip} answer=${answer} nameOf=${nameOf} hidden=${isHidden("flip")} />`}
    </div>
  `;
}

const pathOf = (model) => {
  const [name, number] = model.split("/");
  return number ? versionPath(name, number) : name ? `/models/${encodeURIComponent(name)}` : "";
};

// The answer for a drawing, with its version, and of several digits their reading; without ink only the version.
async function explained({ drawing, isGrowing, chosen, model, models }) {
  if (isBlank(drawing)) {
    const [name, number] = model.split("/");
    const shown = name || models?.default;
    const version = number ?? models?.models.find((each) => each.name === shown)?.default?.version;
    return { ...NOTHING, version: version ? await versionOf(shown, version) : null };
  }
  const asked = Object.fromEntries(Object.entries(chosen).filter(([, label]) => label !== ""));
  if (asked.against === asked.digit) delete asked.against;
  const content = await contentOf(drawing);
  const answer = await post(`${pathOf(model)}/explain?${new URLSearchParams(asked)}`, content);
  const version = await versionOf(answer.model, answer.version);
  return { answer, version, content, reading: await readingOf(answer, isGrowing, pathOf(model), content) };
}

// The number that is read, or null. Thick digits side by side may be no digit as a whole: it is a number then if each of them is sure.
async function readingOf({ verdict }, isGrowing, path, content) {
  // A stroke that grows is mostly no digit yet.
  if (verdict !== "several-digits" && (verdict !== "not-a-digit" || isGrowing)) return null;
  const reading = await post(`${path}/read`, content);
  const digits = reading.lines.flatMap((line) => line.digits);
  const isNumber = digits.length > 1 && (verdict === "several-digits" || digits.every((digit) => digit.verdict === "digit"));
  return isNumber ? reading : null;
}

function modelOptions(models, chosen) {
  const usable = (models?.models ?? []).filter((each) => each.default);
  const options = usable.map((each) => [each.name, `${each.name}, version ${each.default.version}`]);
  if (chosen && !options.some(([value]) => value === chosen)) options.push([chosen, chosen.replace("/", ", version ")]);
  return [["", models ? `The default: ${models.default}` : "The default"], ...options].map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`);
}

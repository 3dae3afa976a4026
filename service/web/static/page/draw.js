// Draw: the drawing area, the prediction for it, and its explanation.

import { DATASET, get, post, send, versionPath } from "./api.js";
import { percent, showBars } from "./bars.js";
import { Cases } from "./cases.js";
import { keepDrawn } from "./drawn.js";
import { byId, element } from "./element.js";
import { Evidence } from "./evidence.js";
import { Flip } from "./flip.js";
import { Newest } from "./newest.js";
import { Pad } from "./pad.js";
import { clearPicture, drawGrey } from "./pixels.js";
import { query, setParameters } from "./url.js";

const TEN = Object.fromEntries([...Array(10).keys()].map((digit) => [digit, 0]));
let pad = null;
let evidence = null;
let cases = null;
let flip = null;
let request = null;
let offered = null;
let taken = null; // the image that the address names, as long as it is shown

export function showDraw(params) {
  if (!pad) build();
  offerModels(params.get("model"));
  const image = params.get("image");
  if (image) attempt(() => take(...image.split("/")));
}

function build() {
  request = new Newest(predict);
  evidence = new Evidence(() => request.run());
  cases = new Cases((digit) => evidence.choose(digit));
  flip = new Flip();
  pad = new Pad(byId("pad"), () => request.run());
  byId("clear").addEventListener("click", () => pad.clear());
  byId("sample").addEventListener("click", () => attempt(sample));
  byId("picture").addEventListener("change", (event) => open(event.target.files));
  byId("model").addEventListener("change", (event) => {
    setParameters({ model: event.target.value || null });
    evidence.reset();
    request.run();
  });
  const card = byId("pad").closest(".card");
  card.addEventListener("dragover", (event) => {
    event.preventDefault();
    card.classList.add("over");
  });
  card.addEventListener("dragleave", () => card.classList.remove("over"));
  card.addEventListener("drop", (event) => {
    event.preventDefault();
    card.classList.remove("over");
    open(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => !byId("draw").hidden && open(event.clipboardData.files));
  byId("pad").addEventListener("keydown", (event) => ["Delete", "Escape"].includes(event.key) && pad.clear());
}

async function offerModels(chosen) {
  const select = byId("model");
  try {
    offered = await get("/models");
    const usable = offered.models.filter((model) => model.default);
    const options = usable.map((model) => [model.name, `${model.name}, version ${model.default.version}`]);
    if (chosen && !options.some(([value]) => value === chosen)) options.push([chosen, chosen.replace("/", ", version ")]);
    select.replaceChildren(
      element("option", { value: "" }, `The default: ${offered.default}`),
      ...options.map(([value, label]) => element("option", { value }, label)),
    );
    select.value = chosen ?? "";
    request.run();
  } catch (problem) {
    await request.run();
    showError(problem);
  }
}

function open(files) {
  const file = [...files].find((each) => each.type.startsWith("image/"));
  if (file) attempt(() => pad.show(file));
  else if (files.length) showError(new Error("This file is not a picture. Use PNG, JPEG or WebP."));
}

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    showError(error.name === "InvalidStateError" ? new Error("This picture cannot be read. Try a PNG or a JPEG.") : error);
  }
}

// A random test image; the address names it, so that others can open the same one.
async function sample() {
  const index = Math.floor(Math.random() * 10_000);
  await take(DATASET, "test", index);
  setParameters({ image: `${DATASET}/test/${index}` });
}

async function take(dataset, part, index) {
  const path = `/datasets/${encodeURIComponent(dataset)}/images/${encodeURIComponent(index)}.png`;
  const file = await (await send(`${path}?${new URLSearchParams({ part })}`)).blob();
  await pad.show(file, () => (taken = file));
}

async function predict() {
  if (!pad) return;
  if (taken && pad.picture !== taken) {
    taken = null;
    setParameters({ image: null });
  }
  byId("invitation").hidden = !pad.isEmpty;
  byId("why").classList.toggle("waiting", pad.isEmpty);
  const [name, version] = (query().get("model") ?? "").split("/");
  if (pad.isEmpty) return showNothing(name, version);
  const path = version ? versionPath(name, version) : name ? `/models/${encodeURIComponent(name)}` : "";
  try {
    const answer = await post(`${path}/explain?${new URLSearchParams(evidence.query())}`, await pad.content());
    if (!pad.isEmpty) await show(answer);
  } catch (problem) {
    showError(problem);
  }
}

async function show(answer) {
  const nameOf = await cases.names(answer);
  if (pad.isEmpty) return;
  const classes = Object.keys(answer.probabilities);
  const best = classes.reduce((a, b) => (answer.probabilities[b] > answer.probabilities[a] ? b : a));
  const reading = byId("reading");
  reading.classList.remove("error");
  reading.replaceChildren(element("strong", {}, nameOf(best)), element("span", {}, `${percent(answer.probabilities[best])} sure`));
  showBars(byId("bars"), answer.probabilities, Number(best), nameOf);
  keepDrawn(answer.pixels.flat());
  drawGrey(byId("seen"), answer.pixels.flat());
  evidence.offer(classes, nameOf);
  evidence.show(answer);
  byId("doubts").replaceChildren(...answer.warnings.map((warning) => element("li", {}, warning)));
  flip.show(answer, nameOf);
  await cases.show(answer);
}

async function showNothing(name, version) {
  byId("reading").classList.remove("error");
  byId("reading").textContent = "Nothing drawn yet. Draw a digit.";
  byId("doubts").replaceChildren();
  byId("picture").value = "";
  showBars(byId("bars"), TEN, null);
  clearPicture(byId("seen"));
  evidence.clear();
  flip.clear();
  try {
    const shown = name || offered?.default;
    const number = version ?? offered?.models.find((model) => model.name === shown)?.default?.version;
    if (number && pad.isEmpty) await cases.offer(shown, number);
  } catch (problem) {
    showError(problem);
  }
}

function showError(problem) {
  byId("reading").classList.add("error");
  byId("reading").textContent = problem.message;
}

// Draw: paper, what the model reads from it, and why.

import { get, post } from "./api.js";
import { percent, showBars } from "./bars.js";
import { byId, element } from "./element.js";
import { Evidence } from "./evidence.js";
import { Newest } from "./newest.js";
import { Pad } from "./pad.js";
import { clearPicture, drawGrey } from "./pixels.js";
import { amend, query } from "./url.js";

const TEN = Object.fromEntries([...Array(10).keys()].map((digit) => [digit, 0]));
let pad = null;
let evidence = null;
let request = null;

export function showDraw(params) {
  if (!pad) build();
  offerModels(params.get("model"));
}

function build() {
  request = new Newest(read);
  evidence = new Evidence(() => request.ask());
  pad = new Pad(byId("pad"), () => request.ask());
  byId("clear").addEventListener("click", () => pad.clear());
  byId("sample").addEventListener("click", () => attempt(sample));
  byId("picture").addEventListener("change", (event) => open(event.target.files));
  byId("model").addEventListener("change", (event) => {
    amend({ model: event.target.value || null });
    evidence.forget();
    request.ask();
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
    const { models } = await get("/models");
    const usable = models.filter((model) => model.default);
    const options = usable.map((model) => [model.name, `${model.name}, version ${model.default.version}`]);
    if (chosen && !options.some(([value]) => value === chosen)) options.push([chosen, chosen.replace("/", ", version ")]);
    select.replaceChildren(
      element("option", { value: "" }, "The default model"),
      ...options.map(([value, label]) => element("option", { value }, label)),
    );
    select.value = chosen ?? "";
  } catch (problem) {
    fail(problem);
  }
  if (!pad.isEmpty) request.ask();
}

function open(files) {
  const file = [...files].find((each) => each.type.startsWith("image/"));
  if (file) attempt(() => pad.show(file));
  else if (files.length) fail(new Error("That is no picture. PNG, JPEG and WebP can be read."));
}

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    fail(error.name === "InvalidStateError" ? new Error("This picture cannot be read. Try a PNG or a JPEG.") : error);
  }
}

async function sample() {
  const index = Math.floor(Math.random() * 10_000);
  const answer = await fetch(`/api/v1/datasets/mnist/images/${index}.png?part=test`);
  if (!answer.ok) throw new Error("No test image could be had.");
  await pad.show(await answer.blob());
}

async function read() {
  if (!pad || pad.isEmpty) return nothing();
  const [name, version] = (query().get("model") ?? "").split("/");
  const path = name ? `/models/${encodeURIComponent(name)}${version ? `/versions/${encodeURIComponent(version)}` : ""}` : "";
  try {
    const answer = await post(`${path}/explain?${new URLSearchParams(evidence.question())}`, await pad.content());
    if (!pad.isEmpty) show(answer);
  } catch (problem) {
    fail(problem);
  }
}

function show(answer) {
  const classes = Object.keys(answer.probabilities);
  const best = classes.reduce((a, b) => (answer.probabilities[b] > answer.probabilities[a] ? b : a));
  const reading = byId("reading");
  reading.classList.remove("error");
  reading.replaceChildren("A ", element("strong", {}, best), `, ${percent(answer.probabilities[best])} sure`);
  showBars(byId("bars"), answer.probabilities, Number(best));
  drawGrey(byId("seen"), answer.pixels);
  evidence.offer(classes);
  evidence.show(answer);
  byId("doubts").replaceChildren(...answer.warnings.map((warning) => element("li", {}, warning)));
}

function nothing() {
  byId("reading").classList.remove("error");
  byId("reading").textContent = "Nothing yet: draw a digit on the paper.";
  byId("doubts").replaceChildren();
  byId("picture").value = "";
  showBars(byId("bars"), TEN, null);
  clearPicture(byId("seen"));
  evidence.clear();
}

function fail(problem) {
  byId("reading").classList.add("error");
  byId("reading").textContent = problem.message;
}

// A form to add your own data: four IDX files, or one .npz file.

import { upload } from "./api.js";
import { byId, element } from "./element.js";
import { address, go, query } from "./url.js";

const FILES = {
  npz: [["file", "The .npz file", "The arrays x_train, y_train, x_test and y_test."]],
  idx: [
    ["train_images", "Training images", "An IDX file, gzipped or not, as MNIST is published."],
    ["train_labels", "Training labels", "An IDX file."],
    ["test_images", "Test images", "An IDX file."],
    ["test_labels", "Test labels", "An IDX file."],
  ],
};
const TEXTS = [
  ["name", "Name", "1 to 40 of a-z, 0-9 and -, beginning with a letter. It cannot be changed later.", { required: true }],
  ["class_names", "Class names", "Separated by commas, that of label 0 first. By default, the numbers.", {}],
  ["title", "Title", "For people.", { maxlength: 200 }],
  ["source", "Source", "The origin of the images.", { maxlength: 200 }],
  ["licence", "Licence", "The terms of use.", { maxlength: 200 }],
];

let form = null;

// Made once: entries and a running upload are kept while other parts of the page are shown.
export function showUpload() {
  form ??= new Form(byId("upload"));
}

class Form {
  constructor(place) {
    this.kind = element("select", { id: "upload-kind" }, element("option", { value: "npz" }, "one .npz file"), element("option", { value: "idx" }, "four IDX files"));
    this.inputs = {};
    const words = TEXTS.map(([name, label, help, more]) => this.#field(name, label, help, { type: "text", autocomplete: "off", ...more }));
    const files = Object.values(FILES).flat().map(([name, label, help]) => this.#field(name, label, help, { type: "file", required: true }));
    const kind = element("div", { class: "field" }, element("label", { for: "upload-kind" }, "Files"), this.kind, element("p", { class: "hint" }, "28×28 grey images of two to ten classes, with their labels."));
    this.button = element("button", { type: "submit", class: "main" }, "Add it");
    this.cancel = element("button", { type: "button", hidden: true, onclick: () => this.controller.abort() }, "Cancel");
    this.bar = element("progress", { max: "1", "aria-label": "Upload", hidden: true });
    this.state = element("p", { role: "status" });
    this.problem = element("p", { class: "error", role: "alert", hidden: true });
    const foot = element("div", { class: "start" }, this.state, this.cancel, this.button);
    const made = element("form", { novalidate: true }, element("div", { class: "fields" }, words[0], kind, files, words.slice(1)), this.bar, this.problem, foot);
    this.kind.addEventListener("change", () => this.#choose());
    made.addEventListener("submit", (event) => this.#submit(event));
    place.append(element("summary", {}, "Add a data set of your own"), made);
    this.#choose();
  }

  #field(name, label, help, attributes) {
    const id = `upload-${name}`;
    const input = element("input", { id, "aria-describedby": `${id}-help ${id}-problem`, ...attributes });
    const problem = element("p", { class: "error", id: `${id}-problem`, hidden: true });
    const node = element("div", { class: "field" }, element("label", { for: id }, label), input, element("p", { class: "hint", id: `${id}-help` }, help), problem);
    this.inputs[name] = { input, problem, node };
    return node;
  }

  // Shows the fields of one kind of files; the others are not sent.
  #choose() {
    for (const [kind, files] of Object.entries(FILES)) {
      for (const [name] of files) {
        this.inputs[name].node.hidden = this.inputs[name].input.disabled = kind !== this.kind.value;
      }
    }
  }

  #showError(name, message) {
    const { input, problem } = this.inputs[name];
    problem.textContent = message;
    problem.hidden = !message;
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  #showProblem(problem) {
    const named = Object.entries(problem.fields ?? {}).filter(([name]) => name in this.inputs && !this.inputs[name].input.disabled);
    for (const [name, message] of named) this.#showError(name, message);
    this.problem.textContent = named.length ? "" : problem.message;
    this.problem.hidden = named.length > 0;
    if (named.length) this.inputs[named[0][0]].input.focus();
  }

  #content() {
    const content = new FormData();
    for (const [name, { input }] of Object.entries(this.inputs)) {
      if (input.disabled) continue;
      if (input.type === "file") content.append(name, input.files[0]);
      else if (name === "class_names" && input.value.trim()) content.append(name, JSON.stringify(input.value.split(",").map((each) => each.trim())));
      else if (input.value.trim()) content.append(name, input.value.trim());
    }
    return content;
  }

  async #submit(event) {
    event.preventDefault();
    for (const name of Object.keys(this.inputs)) this.#showError(name, "");
    this.problem.hidden = true;
    const missing = Object.entries(this.inputs).filter(([, { input }]) => !input.validity.valid && !input.disabled);
    if (missing.length) {
      return this.#showProblem({ fields: Object.fromEntries(missing.map(([name, { input }]) => [name, input.type === "file" ? "Choose a file." : "Enter a name."])) });
    }
    this.controller = new AbortController();
    this.#busy(true);
    try {
      const made = await upload("/datasets", this.#content(), (fraction) => this.#progress(fraction), this.controller.signal);
      this.state.textContent = `${made.title} was added.`;
      if (query().get("view") === "data") go(address({ view: "data", dataset: made.name }));
    } catch (problem) {
      this.state.textContent = problem.name === "AbortError" ? "Cancelled: nothing was added." : "";
      if (problem.name !== "AbortError") this.#showProblem(problem);
    } finally {
      this.#busy(false);
    }
  }

  #busy(isBusy) {
    this.button.disabled = isBusy;
    this.bar.hidden = this.cancel.hidden = !isBusy;
    if (isBusy) this.#progress(0);
  }

  // When all is sent, the server checks it, which takes an unknown time.
  #progress(fraction) {
    if (fraction < 1) this.bar.value = fraction;
    else this.bar.removeAttribute("value");
    this.state.textContent = fraction < 1 ? `${Math.round(100 * fraction)} % uploaded.` : "Uploaded. The server is checking the data.";
  }
}

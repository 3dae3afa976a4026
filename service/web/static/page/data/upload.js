// A form to add your own data: four IDX files, or one .npz file.

import { upload } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { address, go, query } from "../url.js";

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

// A running upload is kept while other parts of the page are shown: {controller, fraction, words}.
let running = null;
/** @type {(next: object) => void} */
let changed = () => {};

// Whether there is something to be seen of an upload.
export const hasUpload = () => running !== null;

function tell(next) {
  running = next;
  changed(next);
}

export function Upload() {
  const [kind, setKind] = useState("npz");
  const [progress, setProgress] = useState(running);
  const [problems, setProblems] = useState({});
  const form = useRef(null);
  const isBusy = Boolean(progress?.controller);
  useEffect(() => {
    changed = setProgress;
    return () => (changed = () => {});
  }, []);
  useEffect(() => {
    form.current.querySelector("[aria-invalid]")?.focus();
  }, [problems]);

  const submit = async (event) => {
    event.preventDefault();
    const missing = [...form.current.elements].filter((input) => input.willValidate && !input.validity.valid);
    setProblems(Object.fromEntries(missing.map((input) => [input.name, input.type === "file" ? "Choose a file." : "Enter a name."])));
    if (missing.length) return;
    const controller = new AbortController();
    const report = (fraction) => tell({ controller, fraction, words: fraction < 1 ? `${Math.round(100 * fraction)} % uploaded.` : "Uploaded. The server is checking the data." });
    report(0);
    try {
      const made = await upload("/datasets", contentOf(form.current), report, controller.signal);
      tell({ words: `${made.title} was added.` });
      if (query().get("view") === "data") go(address({ view: "data", dataset: made.name }));
    } catch (problem) {
      const isAborted = problem.name === "AbortError";
      tell({ words: isAborted ? "Cancelled: nothing was added." : "" });
      if (!isAborted) setProblems(byField(problem, form.current));
    }
  };
  /** @param {any[]} row */
  const field = ([name, label, help, attributes]) => html`<div class="field" key=${name}>
    <label for=${`upload-${name}`}>${label}</label>
    <input id=${`upload-${name}`} name=${name} aria-describedby=${`upload-${name}-help upload-${name}-problem`} aria-invalid=${problems[name] ? "true" : null} ...${attributes} />
    <p class="hint" id=${`upload-${name}-help`}>${help}</p>
    <p class="error" id=${`upload-${name}-problem`} hidden=${!problems[name]}>${problems[name]}</p>
  </div>`;
  /** @param {any[]} row */
  const text = ([name, label, help, more]) => field([name, label, help, { type: "text", autocomplete: "off", ...more }]);
  const file = ([name, label, help]) => field([name, label, help, { type: "file", required: true }]);
  const { fraction, words } = progress ?? {};
  return html`<form novalidate ref=${form} onSubmit=${submit}>
    <div class="fields">
      ${text(TEXTS[0])}
      <div class="field">
        <label for="upload-kind">Files</label>
        <select id="upload-kind" value=${kind} onChange=${(event) => setKind(event.target.value)}><option value="npz">one .npz file</option><option value="idx">four IDX files</option></select>
        <p class="hint">28×28 grey images of two to ten classes, with their labels.</p>
      </div>
      ${FILES[kind].map(file)}${TEXTS.slice(1).map(text)}
    </div>
    <progress max="1" value=${fraction < 1 ? fraction : null} aria-label="Upload" hidden=${!isBusy}></progress>
    <p class="error" role="alert" hidden=${!problems[""]}>${problems[""]}</p>
    <div class="start">
      <p role="status">${words}</p>
      <button type="button" hidden=${!isBusy} onClick=${() => progress.controller.abort()}>Cancel</button>
      <button type="submit" class="main" disabled=${isBusy}>Add it</button>
    </div>
  </form>`;
}

function contentOf(form) {
  const content = new FormData();
  for (const { name, type, files, value } of form.elements) {
    if (type === "file") content.append(name, files[0]);
    else if (name === "class_names" && value.trim()) content.append(name, JSON.stringify(value.split(",").map((each) => each.trim())));
    else if (name && value.trim()) content.append(name, value.trim());
  }
  return content;
}

// What is wrong, by field; under "" what belongs to none.
function byField({ fields = {}, message }, form) {
  const named = Object.entries(fields).filter(([name]) => form.elements[name]);
  return named.length ? Object.fromEntries(named) : { "": message };
}

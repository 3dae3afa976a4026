// A form to add your own data: pictures by class, CSV or arrays, chosen or dropped; or four IDX files.

import { upload } from "../api.js";
import { count } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { address, go, query } from "../url.js";

const FILES = {
  any: [
    ["file", "Files", "A zip archive of pictures in a folder for each class, as 3/one.png; CSV, a label and 784 pixels a line; or an .npz file. They can be dropped here, folders too.", { multiple: true }],
    ["folder", "Or a folder", "Of folders with pictures, each named after its class. In a folder named test are the test images; without one, one in six is for testing.", { webkitdirectory: true, required: false }],
  ],
  idx: [
    ["train_images", "Training images", "An IDX file, gzipped or not, as MNIST is published."],
    ["train_labels", "Training labels", "An IDX file."],
    ["test_images", "Test images", "An IDX file."],
    ["test_labels", "Test labels", "An IDX file."],
  ],
};
const TEXTS = [
  ["name", "Name", "1 to 40 of a-z, 0-9 and -, beginning with a letter. It cannot be changed later.", { required: true }],
  ["class_names", "Class names", "Separated by commas, that of label 0 first. By default, the numbers or the names of the folders.", {}],
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
  const [kind, setKind] = useState("any");
  const [dropped, setDropped] = useState([]); // {file, path}
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
      const made = await upload("/datasets", await contentOf(form.current, dropped), report, controller.signal);
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
  const file = ([name, label, help, more]) => field([name, label, help, { type: "file", required: !hasOther(form.current, dropped), onChange: () => setProblems({}), ...more }]);
  const drop = async (event) => {
    event.preventDefault();
    setDropped(await filesOf(event.dataTransfer));
    setProblems({});
  };
  const { fraction, words } = progress ?? {};
  return html`<form novalidate ref=${form} onSubmit=${submit} onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
    <div class="fields">
      ${text(TEXTS[0])}
      <div class="field">
        <label for="upload-kind">Kind</label>
        <select id="upload-kind" value=${kind} onChange=${(event) => setKind(event.target.value)}><option value="any">pictures, CSV or .npz</option><option value="idx">four IDX files</option></select>
        <p class="hint">Images of two to ten classes, with their labels.</p>
      </div>
      ${FILES[kind].map(file)}${TEXTS.slice(1).map(text)}
    </div>
    <p role="status" hidden=${!dropped.length}>${count(dropped.length, "file")} dropped. <button type="button" onClick=${() => setDropped([])}>Leave them out</button></p>
    <progress max="1" value=${fraction < 1 ? fraction : null} aria-label="Upload" hidden=${!isBusy}></progress>
    <p class="error" role="alert" hidden=${!problems[""]}>${problems[""]}</p>
    <div class="start">
      <p role="status">${words}</p>
      <button type="button" hidden=${!isBusy} onClick=${() => progress.controller.abort()}>Cancel</button>
      <button type="submit" class="main" disabled=${isBusy}>Add it</button>
    </div>
  </form>`;
}

// Whether files came in another way than by the input of files.
const hasOther = (form, dropped) => dropped.length > 0 || form?.elements.folder?.files.length > 0;

async function contentOf(form, dropped) {
  const content = new FormData();
  for (const { name, type, files, value } of form.elements) {
    if (name === "file" || name === "folder") for (const file of files) await append(content, file, file.webkitRelativePath || file.name);
    else if (type === "file") content.append(name, files[0]);
    else if (name === "class_names" && value.trim()) content.append(name, JSON.stringify(value.split(",").map((each) => each.trim())));
    else if (name && value.trim()) content.append(name, value.trim());
  }
  if (form.elements.file) for (const { file, path } of dropped) await append(content, file, path);
  return content;
}

// Tables are sent gzipped: a tenth of their size.
async function append(content, file, path) {
  if (isHidden(path)) return;
  if (!path.endsWith(".csv")) return content.append("file", file, path);
  const packed = await new Response(file.stream().pipeThrough(new CompressionStream("gzip"))).blob();
  content.append("file", packed, `${path}.gz`);
}

const isHidden = (path) => path.split("/").some((part) => part.startsWith("."));

// The files that are dropped, and those in folders, with their paths.
async function filesOf({ items }) {
  const entries = [...items].map((item) => item.webkitGetAsEntry() ?? item.getAsFile()).filter(Boolean); // at once: they are gone later
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry) {
  if (entry instanceof File) return [{ path: entry.name, file: entry }];
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const [reader, found] = [entry.createReader(), []];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) return (await Promise.all(found.map(filesIn))).flat();
    found.push(...some);
  }
}

// What is wrong, by field; under "" what belongs to none.
function byField({ fields = {}, message }, form) {
  const named = Object.entries(fields).filter(([name]) => form.elements[name]);
  return named.length ? Object.fromEntries(named) : { "": message };
}

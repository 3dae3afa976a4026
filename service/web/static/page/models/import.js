// A form that makes a version of weights that were trained elsewhere.

import { all, post } from "../api.js";
import { html } from "../html.js";
import { useLoaded } from "../parts/live.js";
import { Refusal, useOnce } from "../parts/once.js";
import { address, go } from "../url.js";

const UNSAID = ["", "as the file says"];
const ACTIVATIONS = [UNSAID, ...["relu", "sigmoid", "improved_sigmoid", "tanh"].map((each) => [each, each.replace("_", " ")])];
const SCALINGS = [
  UNSAID,
  ["unit", "grey level / 255: from 0 to 1"],
  ["range", "from −1 to 1"],
  ["standard", "mean 0, deviation 1"],
  ["bytes", "the grey level, 0 to 255"],
];

const CALIBRATIONS = [
  ["true", "calibrated on the test images"],
  ["false", "as the file computes them"],
];

export function Import() {
  const { data: sets } = useLoaded(async () => (await all("datasets")).datasets, []);
  const { start, isBusy, problem } = useOnce();
  const submit = (event) => {
    event.preventDefault();
    const { name, file, ...others } = /** @type {any} */ (Object.fromEntries(new FormData(event.currentTarget)));
    const said = Object.entries(others).filter(([, value]) => value !== "").map(([key, value]) => [key, String(value)]);
    start(async () => {
      const made = await post(`/models/${encodeURIComponent(name)}/versions?${new URLSearchParams(said)}`, file);
      await go(address({ view: "models", model: `${made.name}/${made.version}` }));
    });
  };
  const select = (name, label, options) => html`<div class="field"><label for=${`import-${name}`}>${label}</label>
    <select id=${`import-${name}`} name=${name}>${options.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select>
  </div>`;
  return html`<form onSubmit=${submit}>
    <p class="hint">An ONNX file of dense layers, or an .npz file: one matrix, or W1, b1, W2 and so on.</p>
    <div class="fields">
      <div class="field"><label for="import-name">Model</label><input type="text" id="import-name" name="name" required autocomplete="off" /></div>
      <div class="field"><label for="import-file">File</label><input type="file" id="import-file" name="file" accept=".npz,.onnx" required /></div>
      ${select("dataset", "Its classes are those of", [["", "found by their number (ten: MNIST)"], ...(sets ?? []).map((each) => [each.name, each.title])])}
      ${select("calibrate", "Its probabilities", CALIBRATIONS)}
      ${select("input_scaling", "It takes", SCALINGS)}
      ${select("activation", "Function of hidden units", ACTIVATIONS)}
    </div>
    <${Refusal} problem=${problem} />
    <button type="submit" class="main" disabled=${isBusy}>${isBusy ? "Importing …" : "Import"}</button>
  </form>`;
}

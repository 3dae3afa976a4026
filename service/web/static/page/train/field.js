// One field of the form, made from a row of the API's table of hyperparameters.

import { html } from "../html.js";
import { isHidden } from "../url.js";
import { isNumber, mathematics, title, written } from "./values.js";

const EMPTY = {
  classes: "default of the model",
  momentum: "default of the model",
  patience: "never stop early",
  start_from: "new weights",
  train_size: "all images",
  name: "from data set and model",
};
const SCALED = ["learning_rate", "l2_penalty"]; // these are tried in powers of ten

const capital = (text) => text[0].toUpperCase() + text.slice(1);

// text: what is in it. change(text): called when it is edited. problem: what is wrong with it, or nothing.
export function Field({ row, text, change, problem, children }) {
  const { name, kind } = row;
  const common = {
    id: `field-${name}`,
    name,
    value: text,
    "aria-describedby": `help-${name} problem-${name}`,
    "aria-invalid": problem ? "true" : null,
  };
  const isChoice = kind === "choice" || kind === "boolean";
  const range = isChoice ? "" : ` ${capital(mathematics(row.allowed))}.`;
  const placeholder = kind === "layers" ? "none, or as in 256-128" : row.nullable ? EMPTY[name] ?? "none" : "";
  const control = isChoice
    ? html`<select ...${common} onChange=${(event) => change(event.target.value)}>${optionsOf(row, text)}</select>`
    : html`<input ...${common} type="text" autocomplete="off" inputmode=${isNumber(row) ? "decimal" : "text"} placeholder=${placeholder} onInput=${(event) => change(event.target.value)} />`;
  const [first] = row.help.split(/[;:(]/);
  const rest = row.help.slice(first.length).replace(/^[;:] */, "");
  const more = [rest && `${rest[0] === "(" ? rest : capital(rest)}.`, range].filter(Boolean).join("");
  const scale = (factor) => () => change(String(Number((Number(text) * factor).toPrecision(6))));
  const scales = SCALED.includes(name) && Number(text) > 0;
  return html`<div class="field" hidden=${isHidden(name)}>
    <label for=${`field-${name}`}>${title(name)}</label>
    <div class="control">
      ${control}
      ${scales && html`<button type="button" class="scale" aria-label=${`÷10: ${title(name)}`} onClick=${scale(0.1)}>÷10</button>`}
      ${scales && html`<button type="button" class="scale" aria-label=${`×10: ${title(name)}`} onClick=${scale(10)}>×10</button>`}
    </div>
    <p class="error" id=${`problem-${name}`} hidden=${!problem}>${problem}</p>
    <details class="hint help" id=${`help-${name}`}><summary>${mathematics(capital(first.trim()))}</summary>${mathematics(more)}</details>
    ${children}
  </div>`;
}

// The choices; several of them, which an address can name, are one more.
function optionsOf(row, text) {
  const choices = row.kind === "boolean" ? ["true", "false"] : row.choices;
  const words = (choice) => (row.kind === "boolean" ? { true: "yes", false: "no" }[choice] : choice.replaceAll("_", " "));
  const unset = row.nullable ? [["", "default of the model"]] : [];
  const several = choices.includes(text) || text === "" ? [] : [[text, words(text)]];
  return [...unset, ...choices.map((choice) => [choice, words(choice)]), ...several].map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`);
}

// The address of the form with the configuration of a job.
export const settingsOf = (config, defaults) => {
  const values = Object.entries(config).map(([name, value]) => [name, written(value, name)]);
  return Object.fromEntries(values.filter(([name, text]) => text !== written(defaults[name], name)));
};

// One field of the form, made from a row of the API's table of hyperparameters.

import { element } from "./element.js";

const TITLES = { name: "Name", dataset: "Data set", l2_penalty: "L2 penalty λ", l2_convention: "L2 convention", dtype: "Precision" };
const isNumber = (row) => row.kind === "number" || row.kind === "integer";

export const title = (name) => TITLES[name] ?? (name[0].toUpperCase() + name.slice(1)).replaceAll("_", " ");

// As text, as in the form and in the address.
export function written(value) {
  return value === null ? "" : Array.isArray(value) ? value.join(",") : String(value);
}

// Help texts of the API, with mathematical signs instead of ASCII and JSON.
export function mathematics(text) {
  return text.replaceAll("||W||^2", "‖W‖²").replaceAll(" * ", " ").replace(/[Ll]ambda/g, "λ").replace("null:", "nothing:").replace("1e-06", "0.000001");
}

export class Field {
  constructor(row) {
    this.row = row;
    this.input = this.#control();
    this.problem = element("p", { class: "error", id: `problem-${row.name}`, hidden: true });
    const range = row.kind === "choice" || row.kind === "boolean" ? "" : ` ${capital(row.allowed.replace("or null", "or nothing"))}.`;
    const help = element("p", { class: "hint", id: `help-${row.name}` }, mathematics(`${capital(row.help)}.${range}`));
    this.formula = row.name === "l2_penalty" ? element("p", { class: "formula" }) : null;
    this.input.setAttribute("aria-describedby", `help-${row.name} problem-${row.name}`);
    const label = element("label", { for: `field-${row.name}` }, title(row.name));
    this.node = element("div", { class: "field", "data-hides": row.name }, label, this.input, help, this.formula, this.problem);
    this.set(written(row.default));
  }

  get text() {
    return this.input.value.trim();
  }

  get isDefault() {
    return this.text === written(this.row.default);
  }

  set(text) {
    this.input.value = text;
  }

  // Replaces the choices. The chosen one stays, if it is among them.
  offer(choices) {
    const { text } = this;
    this.row = { ...this.row, choices };
    this.input.replaceChildren(...choices.map((choice) => this.#option(choice)));
    this.set(text);
  }

  // The values: one, or several numbers, which make a sweep. Throws an error with a message for people.
  values() {
    const { row, text } = this;
    if (text === "" && row.nullable) return [null];
    if (row.kind === "boolean") return [text === "true"];
    if (row.kind === "text") return [text];
    if (row.kind === "choice") {
      if (!row.choices.includes(text)) this.#reject();
      return [text];
    }
    const parts = text.split(/[\s,;]+/).filter(Boolean);
    const numbers = parts.map(Number);
    if (row.kind === "classes") {
      if (!numbers.every((digit) => Number.isInteger(digit) && digit >= 0 && digit <= 9)) this.#reject();
      return [numbers];
    }
    if (row.kind === "layers") {
      const sizes = ["", "none"].includes(text) ? [] : text.split(/[-,\s]+/).map(Number);
      if (!sizes.every((size) => Number.isInteger(size) && size > 0)) this.#reject();
      return [sizes];
    }
    const isFine = (value) =>
      value >= row.minimum && value <= row.maximum && (row.kind === "number" || Number.isInteger(value));
    if (!numbers.length || !numbers.every(isFine)) this.#reject();
    return [...new Set(numbers)];
  }

  showError(message) {
    this.problem.textContent = message ?? "";
    this.problem.hidden = !message;
    if (message) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  #option(choice) {
    const words = this.row.kind === "boolean" ? { true: "yes", false: "no" }[choice] : choice.replaceAll("_", " ");
    return element("option", { value: choice }, words);
  }

  #reject() {
    throw new Error(`${title(this.row.name)}: ${mathematics(this.row.allowed)}.`);
  }

  #control() {
    const { row } = this;
    const common = { id: `field-${row.name}`, name: row.name };
    const choices = row.kind === "boolean" ? ["true", "false"] : row.choices;
    if (row.kind === "choice" || row.kind === "boolean") {
      const unset = row.nullable ? [element("option", { value: "" }, "default of the model")] : [];
      return element("select", common, [...unset, ...choices.map((choice) => this.#option(choice))]);
    }
    const none = { classes: "default of the model", momentum: "default of the model", patience: "never stop early", start_from: "new weights", train_size: "all images", name: "from data set and model" };
    const placeholder = row.kind === "layers" ? "none, or as in 256-128" : row.nullable ? none[row.name] ?? "none" : "";
    return element("input", { ...common, type: "text", autocomplete: "off", inputmode: isNumber(row) ? "decimal" : "text", placeholder });
  }
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

// What is typed into the form, as values: one, or several, which make a sweep.

const TITLES = { name: "Name", dataset: "Data set", l2_penalty: "L2 penalty λ", l2_convention: "L2 convention", dtype: "Precision" };
const SEPARATOR = /\s*[,;]\s*|\s+/;

export const title = (name) => TITLES[name] ?? (name[0].toUpperCase() + name.slice(1)).replaceAll("_", " ");

export const isNumber = ({ kind }) => kind === "number" || kind === "integer";

// A setting as text, as in the form and in the address.
export function written(value, name = "") {
  if (value === null || value === undefined) return "";
  if (name === "hidden_layers") return value.length ? value.join("-") : "none";
  return Array.isArray(value) ? value.join(",") : String(value);
}

// A setting as it is read.
export const inWords = (value, name) => (typeof value === "boolean" ? (value ? "yes" : "no") : written(value, name) || "none");

// Texts of the API, with mathematical signs instead of ASCII, and words for JSON.
export function mathematics(text) {
  return text
    .replaceAll("||W||^2", "‖W‖²")
    .replaceAll(" * ", " ")
    .replace(/[Ll]ambda/g, "λ")
    .replace("null:", "nothing:")
    .replace("or null", "or nothing")
    .replace("1e-06", "0.000001");
}

// row: of the API's table. Throws an error with a message for people.
export function valuesOf(row, text) {
  const isFine = (values, holds) => {
    if (!values.length || !values.every(holds)) throw new Error(`${title(row.name)}: ${mathematics(row.allowed)}.`);
    return values;
  };
  if (text === "" && row.nullable) return [null];
  if (row.kind === "boolean") return [text === "true"];
  if (row.kind === "text") return [text];
  if (row.kind === "choice") return isFine(text.split(SEPARATOR), (choice) => row.choices.includes(choice));
  if (row.kind === "classes") {
    const digits = text.split(SEPARATOR).filter(Boolean).map(Number);
    const areSeveral = digits.length > 1 && new Set(digits).size === digits.length;
    return [isFine(digits, (digit) => areSeveral && Number.isInteger(digit) && digit >= 0 && digit <= 9)];
  }
  if (row.kind === "layers") {
    const layers = (text || "none").split(SEPARATOR).filter(Boolean).map((each) => (each === "none" ? [] : each.split("-").map(Number)));
    return isFine(layers, (sizes) => sizes.every((size) => Number.isInteger(size) && size > 0));
  }
  refuseDecimalComma(row, text);
  const holds = (value) => value >= row.minimum && value <= row.maximum && (row.kind === "number" || Number.isInteger(value));
  return [...new Set(isFine(text.split(SEPARATOR).filter(Boolean).map(Number), holds))];
}

// "0,05" is a number to half of the world, and two to a list: it is neither here.
function refuseDecimalComma(row, text) {
  const isMeant = row.kind === "number" ? /^\d+,\d+$|,0\d/.test(text) : /,0\d/.test(text);
  if (!isMeant) return;
  const [whole, part] = text.split(",");
  throw new Error(`${title(row.name)}: write ${whole}.${part} with a point. Several values are separated by a comma and a space: ${whole}, ${part}.`);
}

// The configuration that all runs share, the values in which they differ, and what is wrong, by field.
export function planOf(rows, textOf) {
  /** @type {{base: Record<string, any>, grid: Record<string, any[]>, problems: Record<string, string>}} */
  const plan = { base: {}, grid: {}, problems: {} };
  for (const row of rows) {
    try {
      const values = valuesOf(row, textOf(row).trim());
      if (values.length > 1) plan.grid[row.name] = values;
      else plan.base[row.name] = values[0];
    } catch (error) {
      plan.problems[row.name] = error.message;
    }
  }
  return plan;
}

// The configuration of every run of a plan.
export function runsOf({ base, grid }) {
  const join = (runs, [name, values]) => runs.flatMap((run) => values.map((value) => ({ ...run, [name]: value })));
  return Object.entries(grid).reduce(join, [base]);
}

// What is typed into the form, as values.

import assert from "node:assert/strict";
import { mathematics, planOf, runsOf, title, valuesOf, written } from "../../service/web/static/page/train/values.js";

const number = { name: "learning_rate", kind: "number", minimum: 1e-6, maximum: 10, allowed: "a number from 1e-06 to 10" };
const integer = { name: "epochs", kind: "integer", minimum: 1, maximum: 10_000, allowed: "a whole number from 1 to 10,000" };
const choice = { name: "model", kind: "choice", choices: ["softmax", "logistic"], allowed: "softmax or logistic" };
const boolean = { name: "shuffle", kind: "boolean", allowed: "true or false" };
const classes = { name: "classes", kind: "classes", allowed: "2 to 10 different digits", nullable: true };
const layers = { name: "hidden_layers", kind: "layers", allowed: "at most 10 whole numbers" };
const text = { name: "name", kind: "text", allowed: "letters", nullable: true };

const READ = [
  [number, "0.05", [0.05]],
  [number, "0.1, 0.01", [0.1, 0.01]],
  [number, "0.1;0.01  1e-3", [0.1, 0.01, 0.001]],
  [number, "1, 1.0, 1", [1]],
  [number, ".5,", [0.5]],
  [integer, "3, 50", [3, 50]],
  [integer, "3,50", [3, 50]],
  [{ ...integer, nullable: true }, "", [null]],
  [choice, "softmax, logistic", ["softmax", "logistic"]],
  [boolean, "true", [true]],
  [boolean, "false", [false]],
  [classes, "2,3", [[2, 3]]],
  [classes, "", [null]],
  [layers, "none", [[]]],
  [layers, "", [[]]],
  [layers, "none, 64, 128-64", [[], [64], [128, 64]]],
  [text, "my digits", ["my digits"]],
  [text, "", [null]],
];
for (const [row, typed, values] of READ) {
  Deno.test(`${row.name}: "${typed}"`, () => assert.deepEqual(valuesOf(row, typed), values));
}

const REFUSED = [
  [number, "", /^Learning rate: a number from 0\.000001 to 10\.$/],
  [number, "eleven", /^Learning rate: /],
  [number, "11", /^Learning rate: /],
  [number, "0", /^Learning rate: /],
  [number, "0.1, -1", /^Learning rate: /],
  [number, "Infinity", /^Learning rate: /],
  [number, "0,05", /write 0\.05 with a point.*0, 05\.$/],
  [number, "1,5", /write 1\.5 with a point/],
  [integer, "1,05", /with a point/],
  [integer, "2.5", /^Epochs: a whole number/],
  [choice, "softmax, linear", /^Model: /],
  [classes, "2,10", /^Classes: /],
  [classes, "two", /^Classes: /],
  [classes, "3", /^Classes: /],
  [classes, "3,3", /^Classes: /],
  [layers, "64-0", /^Hidden layers: /],
  [layers, "-64", /^Hidden layers: /],
];
for (const [row, typed, message] of REFUSED) {
  Deno.test(`${row.name}: "${typed}" is refused`, () => assert.throws(() => valuesOf(row, typed), { message }));
}

const WRITTEN = [[number, 1e-6], [integer, 500], [classes, [2, 3]], [classes, null], [layers, []], [layers, [128, 64]], [boolean, false]];
for (const [row, value] of WRITTEN) {
  Deno.test(`${row.name}: ${JSON.stringify(value)} is read as it is written`, () => {
    assert.deepEqual(valuesOf(row, written(value, row.name)), [value]);
  });
}

Deno.test("a plan has what is shared, what differs, and all that is wrong at once", () => {
  const typed = { learning_rate: "0,05", epochs: "3, 50", model: "softmax", classes: "2,3", hidden_layers: "0" };
  const rows = [number, integer, choice, classes, layers];
  const plan = planOf(rows, (row) => ` ${typed[row.name]} `);
  assert.deepEqual([plan.base, plan.grid], [{ model: "softmax", classes: [2, 3] }, { epochs: [3, 50] }]);
  assert.deepEqual(Object.keys(plan.problems), ["learning_rate", "hidden_layers"]);
});

Deno.test("the runs of a plan are all combinations", () => {
  const runs = runsOf({ base: { seed: 1 }, grid: { a: [1, 2], b: [3, 4] } });
  assert.deepEqual(runs, [{ seed: 1, a: 1, b: 3 }, { seed: 1, a: 1, b: 4 }, { seed: 1, a: 2, b: 3 }, { seed: 1, a: 2, b: 4 }]);
  assert.deepEqual(runsOf({ base: { seed: 1 }, grid: {} }), [{ seed: 1 }]);
});

Deno.test("texts of the API become words for people", () => {
  assert.equal(mathematics("J = C + lambda * ||W||^2"), "J = C + λ ‖W‖²");
  assert.equal(mathematics("a whole number, or null"), "a whole number, or nothing");
  assert.deepEqual([title("l2_penalty"), title("train_size")], ["L2 penalty λ", "Train size"]);
});

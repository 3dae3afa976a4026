// Ready-made forms. A field that is not named has its default; a list of values makes a sweep.

export const PRESETS = [
  {
    label: "Report task 2",
    help: "Logistic regression, 2 against 3, images always in the same order",
    values: { model: "logistic", classes: "2,3", shuffle: "false" },
  },
  { label: "Report task 3", help: "Softmax regression over all ten digits", values: { model: "softmax" } },
  {
    label: "L2 comparison",
    help: "Five runs that differ only in how much large weights cost",
    values: { model: "softmax", l2_penalty: "0,1,0.1,0.01,0.001" },
  },
];

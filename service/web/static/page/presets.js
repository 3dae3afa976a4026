// Ready-made forms. Other fields have their defaults; a list of values makes a sweep.

export const PRESETS = [
  {
    label: "Report task 2",
    help: "Logistic regression, 2 against 3, without shuffling",
    values: { model: "logistic", classes: "2,3", shuffle: "false" },
  },
  { label: "Report task 3", help: "Softmax regression over all ten digits", values: { model: "softmax" } },
  {
    label: "L2 comparison",
    help: "Five runs that differ only in their L2 penalty",
    values: { model: "softmax", l2_penalty: "0,1,0.1,0.01,0.001" },
  },
];

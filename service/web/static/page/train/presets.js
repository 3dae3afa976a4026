// Ready-made forms. Other fields have their defaults; a list of values makes a sweep.

const NETWORK = { learning_rate: "0.02", batch_size: "32", input_scaling: "standard", epochs: "20" };

export const PRESETS = [
  {
    label: "See early stopping",
    help: "2 against 3 with a rate of 0.05 and 500 epochs: it stops after about 34",
    values: { model: "logistic", classes: "2,3", shuffle: "false", learning_rate: "0.05", epochs: "500" },
  },
  {
    label: "Hidden layers or none",
    help: "Ten digits, without hidden layers, with 64 units, and with two layers",
    values: { ...NETWORK, hidden_layers: "none, 64, 128-64", epochs: "10" },
  },
  {
    label: "Augmentation on and off",
    help: "A network on 5,000 images, as they are and distorted anew in each epoch",
    values: { ...NETWORK, hidden_layers: "64", train_size: "5000", augmentation: "none, soft" },
  },
  {
    label: "Momentum",
    help: "The same network with a momentum of 0, 0.5 and 0.9",
    values: { ...NETWORK, hidden_layers: "64", momentum: "0, 0.5, 0.9", epochs: "10" },
  },
  { label: "Report task 2", help: "Logistic regression, 2 against 3, without shuffling", values: { model: "logistic", classes: "2,3", shuffle: "false" } },
  { label: "Report task 3", help: "Softmax regression over all ten digits", values: { model: "softmax" } },
  { label: "L2 comparison", help: "Five runs that differ only in their L2 penalty", values: { model: "softmax", l2_penalty: "0, 1, 0.1, 0.01, 0.001" } },
];

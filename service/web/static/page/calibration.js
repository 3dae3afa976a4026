// Calibration: the accuracy of predictions by their probability.

import { percent } from "./bars.js";
import { Chart } from "./charts.js";
import { element } from "./element.js";

export function calibration({ bins, expected_error: error }) {
  const series = [
    { label: "perfect calibration", colour: "series-faint", dash: [5, 5] },
    { label: "accuracy", colour: "series-2", points: true },
  ];
  const chart = new Chart("Calibration: accuracy by predicted probability", series, { percent: true, share: true });
  const used = bins.filter((bin) => bin.n_images);
  const x = used.map((bin) => bin.mean_probability);
  const sentence = `On average they differ by ${percent(error)}. Below the dashed line the model is overconfident, above it underconfident.`;
  chart.node.append(element("p", { class: "hint" }, sentence));
  // Drawn once it is on the page.
  requestAnimationFrame(() => chart.show([x, x, used.map((bin) => bin.accuracy)], sentence));
  return chart;
}

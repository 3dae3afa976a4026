// How sure a model is, against how often it is right then.

import { percent } from "./bars.js";
import { Chart } from "./charts.js";
import { element } from "./element.js";

export function calibration({ bins, expected_error: error }) {
  const series = [
    { label: "as sure as right", colour: "series-faint", dash: [5, 5] },
    { label: "right", colour: "series-2", points: true },
  ];
  const chart = new Chart("How sure it is, and how often it is right then", series, { percent: true, share: true });
  const there = bins.filter((bin) => bin.n_images);
  const x = there.map((bin) => bin.mean_probability);
  const sentence = `On average the two are ${percent(error)} apart. Below the dashed line it is surer than it should be, above it too modest.`;
  chart.node.append(element("p", { class: "hint" }, sentence));
  // Drawn once it has a place on the page.
  requestAnimationFrame(() => chart.show([x, x, there.map((bin) => bin.accuracy)], sentence));
  return chart;
}

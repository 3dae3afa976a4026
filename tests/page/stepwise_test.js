// Which jobs may be paused, as the server has it (service/jobs/pausing.py).

import assert from "node:assert/strict";

globalThis.matchMedia = () => ({ matches: false }); // of a browser
const { isPausable } = await import("../../service/web/static/page/job/stepwise.js");

const trainedIn = (parts) => Array.from({ length: parts }, () => [{ state: "queued" }, { state: "running" }]).flat();

Deno.test("a job is paused until it was trained in 500 parts, and the member of a sweep never", () => {
  const cases = [[null, 1, true], [null, 499, true], [null, 500, false], ["a-sweep", 1, false]];
  for (const [sweep, parts, expected] of cases) assert.equal(isPausable({ sweep, history: trainedIn(parts) }), expected, `${parts}`);
});

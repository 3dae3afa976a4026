// Numbers as people read them.

import assert from "node:assert/strict";
import { printedP } from "../../service/web/static/page/format.js";

const PRINTED = [
  [0, "p < 0.0001"],
  [0.0031, "p = 0.0031"],
  [0.0494, "p = 0.049"],
  [0.0499, "p < 0.05"],
  [0.05, "p = 0.050"],
  [0.0504, "p = 0.050"],
];
for (const [p, printed] of PRINTED) {
  Deno.test(`${p} is printed as "${printed}"`, () => assert.equal(printedP(p), printed));
}

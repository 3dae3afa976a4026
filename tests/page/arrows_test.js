// The pixel that is read with the arrow keys.

import assert from "node:assert/strict";
import { moved } from "../../service/web/static/page/parts/arrows.js";

const [LEFT, RIGHT, UP, DOWN] = [[0, -1], [0, 1], [-1, 0], [1, 0]];

Deno.test("arrows move over the tiles as over one picture, to its edges", () => {
  assert.deepEqual(moved({ i: 0, row: 3, column: 27 }, RIGHT, 2), { i: 1, row: 3, column: 0 });
  assert.deepEqual(moved({ i: 1, row: 3, column: 0 }, LEFT, 2), { i: 0, row: 3, column: 27 });
  assert.deepEqual(moved({ i: 1, row: 3, column: 27 }, RIGHT, 2), { i: 1, row: 3, column: 27 });
  assert.deepEqual(moved({ i: 0, row: 0, column: 0 }, LEFT, 2), { i: 0, row: 0, column: 0 });
  assert.deepEqual(moved({ i: 0, row: 0, column: 5 }, UP, 2), { i: 0, row: 0, column: 5 });
  assert.deepEqual(moved({ i: 0, row: 26, column: 5 }, DOWN, 2), { i: 0, row: 27, column: 5 });
});

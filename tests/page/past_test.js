// The snapshots of a job that are kept, while the server adds to them and thins them; over HTTP, from a server of the test.

import assert from "node:assert/strict";
import { Past } from "../../service/web/static/page/job/past.js";

const MODEL = {
  tensors: [{ name: "W1", shape: [3, 2] }, { name: "W2", shape: [3, 1] }],
  operations: [
    { kind: "scale", divisor: 2, shift: 1 },
    { kind: "dense", tensor: "W1" },
    { kind: "relu" },
    { kind: "dense", tensor: "W2" },
    { kind: "binary" },
  ],
};
const SIZE = 9;

// Runs a test with a server that has snapshots of these steps; asked are the steps after which it was asked.
async function withServer(test) {
  const state = { steps: [], asked: [] };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const url = new URL(request.url);
    if (!url.pathname.endsWith("weights.f32")) return Response.json(MODEL);
    const since = Number(url.searchParams.get("since"));
    state.asked.push(since);
    const later = state.steps.filter((step) => step > since);
    const values = new Float32Array(later.flatMap((step) => Array(SIZE).fill(step)));
    return new Response(values.buffer, { headers: { "Snapshot-Steps": later.join() } });
  });
  const { fetch } = globalThis;
  globalThis.fetch = (path, options) => fetch(`http://127.0.0.1:${server.addr.port}${path}`, options);
  try {
    await test(new Past("a-job"), state);
  } finally {
    globalThis.fetch = fetch;
    await server.shutdown();
  }
}

Deno.test("only what is new is fetched, until the run was thinned", () =>
  withServer(async (past, state) => {
    state.steps = [0, 3];
    await past.load();
    state.steps = [0, 3, 6, 9];
    await past.load();
    assert.deepEqual([past.steps, state.asked], [[0, 3, 6, 9], [-1, 3]]);
    assert.deepEqual(past.rows.map((row) => [row.length, row[0]]), [[9, 0], [9, 3], [9, 6], [9, 9]]);
    state.steps = [0, 6, 12];
    past.isThinned = true;
    await past.load();
    assert.deepEqual([past.steps, past.isThinned, state.asked.at(-1)], [[0, 6, 12], false, -1]);
    await past.load();
    assert.deepEqual([past.steps, state.asked.at(-1)], [[0, 6, 12], 12]);
  }));

Deno.test("a run without a check has no snapshots, and is asked for all again", () =>
  withServer(async (past, state) => {
    await past.load();
    await past.load();
    assert.deepEqual([past.steps, past.rows, state.asked], [[], [], [-1, -1]]);
  }));

Deno.test("more than the server keeps is fetched again as a whole", () =>
  withServer(async (past, state) => {
    state.steps = Array.from({ length: 512 }, (_, i) => i);
    await past.load();
    state.steps = state.steps.filter((step) => step % 2 === 0);
    await past.load();
    assert.deepEqual([past.steps.length, state.asked], [256, [-1, -1]]);
  }));

Deno.test("the prediction is the forward pass through the layers", () =>
  withServer(async (past, state) => {
    state.steps = [0];
    await past.load();
    past.rows = [Float32Array.of(1, -1, 2, 0, 0.5, 1, 3, 1, -2)]; // W1 with its bias row, then W2
    // x = [4, 2] / 2 - 1 = [1, 0]; W1 gives [1 + 0.5, -1 + 1], relu keeps both; W2 gives 1.5 * 3 + 0 * 1 - 2
    const { 7: seven, 4: four } = past.probabilities(0, [4, 2], [7, 4]);
    assert.ok(Math.abs(seven - 1 / (1 + Math.exp(-2.5))) < 1e-12);
    assert.ok(Math.abs(seven + four - 1) < 1e-12);
    assert.deepEqual([...past.at(0).values], [1, -1, 2, 0, 0.5, 1]);
  }));

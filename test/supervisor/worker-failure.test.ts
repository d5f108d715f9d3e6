import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainFailure, type WorkerFailure } from "../../src/supervisor/worker-failure.ts";

const FAILURE: WorkerFailure = {
  slot: 2,
  app: "./app.ts",
  told: undefined,
  exit: { code: 1, signal: null },
  hasBeenReady: false,
};

describe("explainFailure", () => {
  for (const [exit, hasBeenReady, message] of [
    [{ code: 1, signal: null }, false, "Worker 2 exited with code 1 before it was ready"],
    [
      { code: null, signal: "SIGKILL" },
      false,
      "Worker 2 was killed by SIGKILL before it was ready",
    ],
    [{ code: null, signal: null }, false, "Worker 2 could not be spawned before it was ready"],
    [
      { code: 0, signal: null },
      true,
      "Worker 2 exited with code 0 before enough others were ready",
    ],
  ] as const) {
    it(`says how the worker ended: ${message}`, () => {
      const error = explainFailure({ ...FAILURE, exit, hasBeenReady });
      assert.deepEqual([error.code, error.message], ["ERR_WORKER", message]);
    });
  }

  it("repeats what was told, however it ended", () => {
    const told = { message: "Worker 2 was not ready within 60s" };
    const { message, cause } = explainFailure({ ...FAILURE, told });
    assert.deepEqual([message, cause], [told.message, undefined]);
  });

  it("names the app whose error it was, which is the cause", () => {
    const told = { message: "no such table", stack: "Error: no such table\n    at app.ts:1:1" };
    const { message, cause } = explainFailure({ ...FAILURE, told });
    assert.equal(message, 'Cannot start app "./app.ts": no such table');
    assert.ok(cause instanceof Error);
    assert.deepEqual([cause.message, cause.stack], [told.message, told.stack]);
  });
});

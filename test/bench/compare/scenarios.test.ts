import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { merge, type ScenarioResult } from "./scenarios.ts";

const ONE: ScenarioResult = {
  requests: 10,
  failed: 3,
  unavoidable: 1,
  fates: { executing: 0, sent: 1, refused: 1 },
  problems: "502 × 3",
  times: 1,
  tookMs: [7],
};

describe("merge", () => {
  it("adds everything up and keeps each time", () => {
    assert.deepEqual(merge([ONE, { ...ONE, tookMs: [9] }]), {
      requests: 20,
      failed: 6,
      unavoidable: 2,
      fates: { executing: 0, sent: 2, refused: 2 },
      problems: "502 × 3; 502 × 3",
      times: 2,
      tookMs: [7, 9],
    });
  });
});

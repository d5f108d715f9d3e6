import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { trafficBetween } from "../../../src/ops/page/traffic.ts";
import { answer, endpoint, timeAt } from "./answers.ts";

describe("trafficBetween", () => {
  const older = answer({ at: 0, buckets: [1, 2, 0, 0], sumSeconds: 0.2, failed: 1 });

  it("is what the counters grew by", () => {
    const newer = answer({ at: 2, buckets: [4, 2, 1, 0], sumSeconds: 0.7, failed: 2 });
    assert.deepEqual(trafficBetween(older, newer, "app"), {
      seconds: 2,
      requests: 4,
      failed: 1,
      durations: { boundsSeconds: [0.01, 0.1, 1], buckets: [3, 0, 1, 0], sumSeconds: 0.7 - 0.2 },
    });
  });

  it("adds endpoints up when none is named", () => {
    const both = (count: number): { endpoints: ReturnType<typeof endpoint>[] } => ({
      endpoints: ["a", "b"].map((name) => endpoint(name, { buckets: [count, 0, 0, count] })),
    });
    const traffic = trafficBetween(
      answer({ overrides: both(1) }),
      answer({ at: 1, overrides: both(4) }),
    );
    assert.deepEqual(traffic?.durations.buckets, [6, 0, 0, 6]);
    assert.equal(traffic.requests, 12);
  });

  for (const [what, newer] of [
    ["the server was started anew", answer({ at: 2, overrides: { started_at: timeAt(1) } })],
    [
      "another process answers",
      answer({ at: 2, overrides: { supervisor: { pid: 8, resident_bytes: 0 } } }),
    ],
    ["a counter fell", answer({ at: 2, buckets: [9, 1, 9, 9], failed: 1 })],
    ["the count of failures fell", answer({ at: 2, buckets: [9, 9, 9, 9] })],
    ["no time has passed", answer({ at: 0, buckets: [9, 9, 9, 9], failed: 9 })],
    ["the clock went back", answer({ at: -5, buckets: [9, 9, 9, 9], failed: 9 })],
    ["the endpoint is gone", answer({ at: 2, overrides: { endpoints: [] } })],
  ] as const) {
    it(`is unknown when ${what}`, () => {
      assert.equal(trafficBetween(older, newer, "app"), undefined);
    });
  }
});

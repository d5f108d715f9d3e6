import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meanOf, quantileOf } from "../../../src/ops/page/quantile.ts";

const boundsSeconds = [0.01, 0.1, 1];

describe("quantileOf", () => {
  for (const [what, share, buckets, expected] of [
    ["nothing without requests", 0.5, [0, 0, 0, 0], undefined],
    ["a bound in the first bucket", 0.5, [3, 0, 0, 1], { kind: "below", seconds: 0.01 }],
    ["a bound above the last one", 0.99, [3, 0, 0, 1], { kind: "above", seconds: 1 }],
    ["a place within a bucket", 0.5, [0, 0, 10, 0], { kind: "about", seconds: 0.55 }],
    [
      "the end of a bucket that holds just enough",
      0.5,
      [0, 1, 1, 0],
      { kind: "about", seconds: 0.1 },
    ],
    ["no empty bucket", 0.75, [2, 0, 2, 0], { kind: "about", seconds: 0.55 }],
  ] as const) {
    it(`is ${what}`, () => {
      const quantile = quantileOf({ boundsSeconds, buckets, sumSeconds: 0 }, share);
      assert.deepEqual(
        quantile && { ...quantile, seconds: Math.round(quantile.seconds * 1e9) / 1e9 },
        expected,
      );
    });
  }
});

describe("meanOf", () => {
  it("is exact, and unknown without requests", () => {
    assert.equal(meanOf({ boundsSeconds, buckets: [1, 0, 3, 0], sumSeconds: 2 }), 0.5);
    assert.equal(meanOf({ boundsSeconds, buckets: [0, 0, 0, 0], sumSeconds: 0 }), undefined);
  });
});

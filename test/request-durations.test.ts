import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DURATION_BOUNDS_SECONDS,
  DURATION_SLOTS,
  METHODS,
  RequestDurations,
} from "../src/request-durations.ts";

function createDurations(): RequestDurations {
  return new RequestDurations(new Float64Array(DURATION_SLOTS));
}

describe("RequestDurations", () => {
  it("has a series for every method it knows, and one for all others", () => {
    const durations = createDurations();
    for (const method of METHODS) durations.count(method, 200, 0);
    for (const method of ["PROPFIND", "get", "__proto__", "", undefined])
      durations.count(method, 200, 0);
    const counts = durations.read().map(({ method, count }) => [method, count]);
    assert.deepEqual(
      counts,
      METHODS.map((method) => [method, method === "_OTHER" ? 6 : 1]),
    );
  });

  for (const [status, expected] of [
    [100, "1xx"],
    [204, "2xx"],
    [304, "3xx"],
    [499, "4xx"],
    [599, "5xx"],
    [999, "5xx"],
    [0, "1xx"],
  ] as const) {
    it(`counts status ${status} as ${expected}`, () => {
      const durations = createDurations();
      durations.count("GET", status, 0);
      assert.deepEqual(
        durations.read().map((series) => series.status),
        [expected],
      );
    });
  }

  it("puts a duration into the first bucket that holds it, its bound included", () => {
    const seconds = [0, ...DURATION_BOUNDS_SECONDS, 11, 0.0050001];
    const durations = createDurations();
    for (const one of seconds) durations.count("GET", 200, one);
    const [series] = durations.read();
    assert.equal(series?.count, seconds.length);
    assert.deepEqual(series.buckets, [2, 2, ...DURATION_BOUNDS_SECONDS.slice(2).map(() => 1), 1]);
    assert.ok(Math.abs(series.sumSeconds - seconds.reduce((sum, one) => sum + one, 0)) < 1e-5);
  });
});

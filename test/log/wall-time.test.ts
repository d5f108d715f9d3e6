import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { createWallTime } from "../../src/log/wall-time.ts";

describe("createWallTime", () => {
  it("turns monotonic time into the date in whole milliseconds", () => {
    const wallTime = createWallTime();
    const difference = wallTime(performance.now()) - Date.now();
    assert.ok(Math.abs(difference) <= 2, `differs by ${difference} ms`);
    assert.ok(Number.isInteger(wallTime(performance.now())));
  });

  it("follows the date when that is set", () => {
    const wallTime = createWallTime();
    const start = performance.now();
    const before = wallTime(start);
    const real = Date.now;
    mock.method(Date, "now", () => real() + 3_600_000);
    try {
      assert.equal(
        Math.abs(wallTime(start + 200) - before - 200) <= 1,
        true,
        "not asked again so soon",
      );
      const moved = wallTime(start + 300) - before;
      assert.ok(Math.abs(moved - 3_600_300) <= 2, `moved by ${moved} ms`);
    } finally {
      mock.restoreAll();
    }
  });
});

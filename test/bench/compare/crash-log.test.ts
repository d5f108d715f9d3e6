import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countCrashLog } from "./crash-log.ts";

describe("countCrashLog", () => {
  it("lets workers crash until there were enough, in the time the delays take", async () => {
    const { crashes, hours } = await countCrashLog(40, 2);
    assert.equal(crashes, 40);
    // The first delays of both grow together, and the last ten of each are the longest.
    assert.ok(hours > 0.05 && hours < 0.2, `${hours} hours`);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProcessMonitor } from "../src/process-stats.ts";
import { onEnd } from "./helpers/scope.ts";

describe("a ProcessMonitor", () => {
  it("tells the last numbers when memory cannot be read", (t) => {
    const monitor = new ProcessMonitor();
    onEnd(t, () => monitor.stop());
    const before = monitor.read();
    assert.ok(before.residentBytes > 0);
    t.mock.method(process, "memoryUsage", () => {
      throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    });
    const { residentBytes, heapUsedBytes } = monitor.read();
    assert.deepEqual(
      { residentBytes, heapUsedBytes },
      { residentBytes: before.residentBytes, heapUsedBytes: before.heapUsedBytes },
    );
  });
});

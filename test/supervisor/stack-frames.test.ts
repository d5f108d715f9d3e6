import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatFrames } from "../../src/supervisor/stack-frames.ts";

const PLACES = new Map([
  ["1", "file:///srv/my%20app/app.mjs"],
  ["2", "node:internal/process/task_queues"],
  ["3", "node:fs"],
  ["4", "/srv/common.cjs"],
  ["5", `data:text/javascript,${"x".repeat(1_000)}`],
]);

function frame(functionName: string, scriptId: string, lineNumber = 0): object {
  return { functionName, location: { scriptId, lineNumber, columnNumber: 4 } };
}

function format(...callFrames: object[]): readonly string[] {
  return formatFrames({ method: "Debugger.paused", params: { callFrames } }, PLACES);
}

describe("formatFrames", () => {
  it("counts lines and columns from 1, and writes paths", () => {
    assert.deepEqual(format(frame("spin", "1", 6), frame("", "4")), [
      "spin (/srv/my app/app.mjs:7:5)",
      "(anonymous) (/srv/common.cjs:1:5)",
    ]);
  });

  it("leaves out what is inside Node, but for the innermost frame", () => {
    const inner = frame("processTicks", "2");
    assert.deepEqual(format(inner, frame("handler", "1"), inner, frame("readSync", "3")), [
      "processTicks (node:internal/process/task_queues:1:5)",
      "handler (/srv/my app/app.mjs:1:5)",
      "readSync (node:fs:1:5)",
    ]);
  });

  it("tells of ten frames at most, and none without end", () => {
    const frames = format(...Array.from({ length: 30 }, () => frame("deep", "5")));
    assert.equal(frames.length, 10);
    assert.ok((frames[0] ?? "").length < 350);
  });

  it("makes do with what it does not know", () => {
    assert.deepEqual(format(frame("eval", "99")), ["eval (script 99:1:5)"]);
    assert.deepEqual(formatFrames({}, PLACES), []);
    assert.deepEqual(formatFrames(undefined, PLACES), []);
  });
});

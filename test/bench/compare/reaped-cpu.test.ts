import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reapedCpuSeconds } from "./reaped-cpu.ts";

describe("reapedCpuSeconds", () => {
  it("adds user and system time of children, whatever the process is called", () => {
    const stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 10 20 0 0 111 222 150 25 20 0 1 0 99 1000 10";
    assert.equal(reapedCpuSeconds(stat), 1.75);
  });
});

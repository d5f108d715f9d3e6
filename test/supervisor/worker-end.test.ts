import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProcessStats } from "../../src/snapshot.ts";
import { judgeEnd, type WorkerEnd } from "../../src/supervisor/worker-end.ts";
import { processFixture } from "../helpers/snapshot.ts";

const MIB = 2 ** 20;
const ABORTED: WorkerEnd["exit"] = { code: null, signal: "SIGABRT" };
const KILLED: WorkerEnd["exit"] = { code: null, signal: "SIGKILL" };

function heap(usedMib: number, limitMib: number = 4_192): ProcessStats {
  return processFixture({ heapUsedBytes: usedMib * MIB, heapLimitBytes: limitMib * MIB });
}

describe("judgeEnd", () => {
  const cases: [what: string, end: Partial<WorkerEnd>, reason: string, detail: RegExp | undefined][] = [
    ["an exit", { exit: { code: 1, signal: null } }, "crash", undefined],
    ["a segmentation fault", { exit: { code: null, signal: "SIGSEGV" } }, "crash", undefined],
    ["an exit before it was ready", { exit: { code: 3, signal: null }, hasBeenReady: false }, "start_failed", undefined],
    ["an abort with a full heap", { exit: ABORTED, process: heap(4_000) }, "out_of_memory", /^its heap limit was reached: 4000 MiB of 4192 MiB/],
    ["exit code 134 with a full heap", { exit: { code: 134, signal: null }, process: heap(4_000) }, "out_of_memory", /heap limit/],
    ["an abort with a full heap of which much is for young objects", { exit: ABORTED, process: heap(222, 448) }, "out_of_memory", /^its heap limit was reached: 222 MiB of 448 MiB/],
    ["an abort with a full small heap", { exit: ABORTED, process: heap(60, 256) }, "out_of_memory", /heap limit/],
    ["an abort with an empty small heap", { exit: ABORTED, process: heap(20, 256) }, "crash", /^it aborted/],
    ["an abort with an empty heap", { exit: ABORTED, process: heap(20) }, "crash", /^it aborted: 20 MiB of 4192 MiB/],
    ["an abort of which nothing is known", { exit: ABORTED }, "crash", undefined],
    ["an exit with a full heap", { exit: { code: 1, signal: null }, process: heap(4_000) }, "crash", undefined],
    ["a SIGKILL", { exit: KILLED, process: heap(20) }, "killed", /somebody else sent SIGKILL/],
    ["a SIGKILL before it was ready", { exit: KILLED, hasBeenReady: false }, "start_failed", /SIGKILL/],
  ]; // prettier-ignore
  for (const [what, end, reason, detail] of cases) {
    it(`takes ${what} for ${reason}`, () => {
      const verdict = judgeEnd(
        { exit: undefined, hasBeenReady: true, process: undefined, ...end },
        () => false,
      );
      assert.equal(verdict.reason, reason);
      if (detail === undefined) assert.equal(verdict.detail, undefined);
      else assert.match(verdict.detail ?? "", detail);
    });
  }

  it("names the kernel when it has counted a kill for memory, and asks for nothing else", () => {
    let claims = 0;
    const claim = (): boolean => ((claims += 1), true);
    const killed = { exit: KILLED, hasBeenReady: true, process: undefined };
    const verdict = judgeEnd(killed, claim);
    assert.equal(verdict.reason, "killed");
    assert.match(verdict.detail ?? "", /^the kernel killed it: the memory limit of the cgroup/);
    judgeEnd({ ...killed, exit: ABORTED }, claim);
    assert.equal(claims, 1);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readSessionFailure, Resets } from "../../src/http/session-failure.ts";
import { RESET_BURST } from "../../src/http/session-limits.ts";

function failure(code: string, errno?: number): Error {
  return Object.assign(new Error("Session failed"), { code, errno });
}

function resetsAt(...timesMs: readonly number[]): Resets {
  const resets = new Resets();
  for (const nowMs of timesMs) resets.count(nowMs);
  return resets;
}

const PROTOCOL_ERROR = failure("ERR_HTTP2_ERROR", -505);
const CALM = { streams: 1, maxStreams: 8, resets: new Resets() };

describe("readSessionFailure", () => {
  const cases: [string, Error, Partial<typeof CALM>, string | undefined][] = [
    ["a peer that breaks the protocol", PROTOCOL_ERROR, {}, "protocol_error"],
    ["a window beyond all bounds", failure("ERR_HTTP2_ERROR", -524), {}, "protocol_error"],
    ["as many streams as may be, and one more", PROTOCOL_ERROR, { streams: 8 }, "max_streams"],
    ["a flood of frames", failure("ERR_HTTP2_ERROR", -904), { streams: 8 }, "flood"],
    ["a flood of CONTINUATION frames", failure("ERR_HTTP2_ERROR", -905), {}, "flood"],
    ["too many streams that were refused", failure("ERR_HTTP2_ERROR", -902), {}, "flood"],
    ["too many invalid frames", failure("ERR_HTTP2_TOO_MANY_INVALID_FRAMES"), {}, "flood"],
    [
      "streams that are reset all the time",
      PROTOCOL_ERROR,
      { resets: resetsAt(...Array<number>(RESET_BURST).fill(0)) },
      "flood",
    ],
    ["a goodbye with an error of the peer", failure("ERR_HTTP2_SESSION_ERROR"), {}, undefined],
    ["a connection that was reset", failure("ECONNRESET"), {}, undefined],
  ];
  for (const [what, error, state, reason] of cases) {
    it(`says ${reason ?? "nothing"} to ${what}`, () =>
      assert.equal(readSessionFailure(error, { ...CALM, ...state }), reason));
  }
});

describe("Resets", () => {
  it("are no flood when they are spread over time", () => {
    const spread = Array.from({ length: 10 * RESET_BURST }, (_, index) => index * 50);
    assert.equal(resetsAt(...spread).isFlood, false);
  });

  it("are one when so many come at once, however calm it was before", () => {
    const burst = Array<number>(RESET_BURST / 2).fill(60_000);
    assert.equal(resetsAt(0, ...burst.slice(1)).isFlood, false);
    assert.equal(resetsAt(0, ...burst).isFlood, true);
  });
});

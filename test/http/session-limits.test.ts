import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULTS } from "../../src/config/config.ts";
import { limitSessions } from "../../src/http/session-limits.ts";

const MOST_UINT32 = 2 ** 32 - 1;

describe("limitSessions", () => {
  it("reads more headers than are allowed, so that we can answer for ourselves", () => {
    const { maxHeaderListPairs, settings } = limitSessions(DEFAULTS.limits);
    assert.equal(maxHeaderListPairs, 2 * 1_000 + 5);
    assert.equal(settings?.maxHeaderListSize, 2 * 16_384 + 32 * 2_005);
    assert.equal(settings?.maxConcurrentStreams, 128);
  });

  it("follows the limits of the endpoint", () => {
    const limits = { ...DEFAULTS.limits, headerBytes: 1_024, headerCount: 10, streams: 3 };
    const { maxHeaderListPairs, settings } = limitSessions(limits);
    assert.equal(maxHeaderListPairs, 25);
    assert.equal(settings?.maxHeaderListSize, 2_048 + 32 * 25);
    assert.equal(settings?.maxConcurrentStreams, 3);
  });

  it("goes by the size where their number has no limit, or one that is out of reach", () => {
    for (const headerCount of [0, 2 ** 31 - 1]) {
      const limits = { ...DEFAULTS.limits, headerBytes: 2 ** 24, headerCount };
      const { maxHeaderListPairs = 0, settings } = limitSessions(limits);
      assert.equal(maxHeaderListPairs, 2 * (2 ** 24 / 4) + 5);
      assert.ok((settings?.maxHeaderListSize ?? 0) <= MOST_UINT32);
    }
  });
});

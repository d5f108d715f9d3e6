import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDuration, parseDuration } from "../../src/config/duration.ts";
import { forAll } from "../helpers/for-all.ts";
import { valueOf } from "../helpers/value-of.ts";

describe("parseDuration", () => {
  const durations: Record<string, number> = {
    "0": 0, "0s": 0, "500ms": 500, "30s": 30_000, "1.5s": 1500, "0.001s": 1, "0.1s": 100, "2m": 120_000, "1.5m": 90_000,
    "1h": 3_600_000, "596h": 2_145_600_000,
  }; // prettier-ignore
  for (const [text, milliseconds] of Object.entries(durations)) {
    it(`reads ${text} as ${milliseconds} ms`, () =>
      assert.equal(parseDuration(text), milliseconds));
  }

  const refused: Record<string, RegExp> = {
    "30": /^Cannot use "30": expected a duration such as 30s.*: did you mean 30s$/,
    "": /expected a duration/,
    " 30s": /expected a duration/,
    "-1s": /expected a duration/,
    "30 s": /expected a duration/,
    "1d": /expected a duration/,
    "1h30m": /expected a duration/,
    ".5s": /expected a duration/,
    "1e3ms": /expected a duration/,
    "0.5ms": /expected a whole number of milliseconds/,
    "597h": /at most 596h/,
  };
  for (const [text, message] of Object.entries(refused)) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseDuration(text), { code: "ERR_CONFIG", message });
    });
  }

  it("reads whole milliseconds or refuses, whatever it is given", () =>
    forAll({
      draw: ({ text }) => text("0123456789msh. -+e", 8),
      check(text) {
        const milliseconds = valueOf(() => parseDuration(text));
        if (milliseconds === undefined) return;
        assert.ok(Number.isSafeInteger(milliseconds) && milliseconds >= 0);
        assert.ok(milliseconds < 2 ** 31);
      },
    }));
});

describe("formatDuration", () => {
  const durations: Record<string, number> = {
    "0": 0, "1ms": 1, "1500ms": 1500, "1s": 1000, "75s": 75_000, "1m": 60_000, "90s": 90_000, "2h": 7_200_000,
  }; // prettier-ignore
  for (const [text, milliseconds] of Object.entries(durations)) {
    it(`writes ${milliseconds} ms as ${text}, which reads back`, () => {
      assert.equal(formatDuration(milliseconds), text);
      assert.equal(parseDuration(text), milliseconds);
    });
  }

  it("writes what reads back as the same, for every length of time there may be", () =>
    forAll({
      draw: ({ below, pick, next }) =>
        Math.min(Math.floor(next() * 2 ** (1 + below(31))) * pick([1, 1_000, 60_000]), 2 ** 31 - 1),
      check: (milliseconds) =>
        assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds),
    }));
});

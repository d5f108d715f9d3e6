import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatSize, parseSize } from "../../src/config/size.ts";
import { forAll } from "../helpers/for-all.ts";
import { valueOf } from "../helpers/value-of.ts";

describe("parseSize", () => {
  const sizes: Record<string, number> = {
    "0": 0, "1Ki": 1_024, "64Ki": 65_536, "512Mi": 536_870_912, "2Gi": 2_147_483_648, "0Mi": 0, "1000Mi": 1_048_576_000,
  }; // prettier-ignore
  for (const [text, bytes] of Object.entries(sizes)) {
    it(`reads ${text} as ${bytes} bytes`, () => assert.equal(parseSize(text), bytes));
  }

  for (const text of ["", "512", "512M", "512MB", "512mi", "1.5Gi", "-1Mi", " 1Mi", "1 Mi", "Mi", "1Ti", "00", "99999999999999Gi"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const message = /^Cannot use ".*": expected a size such as 512Mi or 2Gi$/;
      assert.throws(() => parseSize(text), { code: "ERR_CONFIG", message });
    });
  } // prettier-ignore

  it("reads a size or refuses it, whatever it is given", () =>
    forAll({
      draw: ({ text }) => text("0123456789KMGTib. -+e", 8),
      check(text) {
        const bytes = valueOf(() => parseSize(text));
        if (bytes === undefined) return;
        assert.ok(Number.isSafeInteger(bytes) && bytes >= 0);
        assert.equal(parseSize(formatSize(bytes)), bytes);
      },
    }));
});

describe("formatSize", () => {
  const sizes: Record<string, number> = {
    "0": 0, "1Ki": 1_024, "1025Ki": 1_049_600, "512Mi": 536_870_912, "2Gi": 2_147_483_648, "1536Mi": 1_610_612_736,
  }; // prettier-ignore
  for (const [text, bytes] of Object.entries(sizes)) {
    it(`writes ${bytes} bytes as ${text}`, () => assert.equal(formatSize(bytes), text));
  }

  it("writes what reads back as the same", () =>
    forAll({
      draw: ({ below, next }) => 2 ** 10 * Math.floor(next() * 2 ** (1 + below(30))),
      check: (bytes) => assert.equal(parseSize(formatSize(bytes)), bytes),
    }));
});

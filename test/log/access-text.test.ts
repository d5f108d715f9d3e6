import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { escapeHex, escapeJson, fit } from "../../src/log/access-text.ts";
import { forAll } from "../helpers/for-all.ts";
import type { Chance } from "../helpers/random.ts";

const HOSTILE =
  'abc xyz/?=&%" \\ \0 \n \r \t \x1b \x7f \x80 \xff é € \u2028 😀 \ud83d \udc00 ,{}[]';
const ELLIPSIS = "…";

interface Drawn {
  readonly text: string;
  readonly limit: number;
}

/** Long runs of one character are the worst there is; chance alone hardly makes them. */
function draw({ text, below, is }: Chance): Drawn {
  const limit = 12 + below(300);
  const units = Array.from(HOSTILE);
  const run = (units[below(units.length)] ?? "").repeat(below(3 * limit));
  return { text: is(0.3) ? run : text(HOSTILE, 2 * limit), limit };
}

describe("fit", () => {
  for (const [name, escape] of Object.entries({ escapeHex, escapeJson })) {
    it(`with ${name} gives printable ASCII of a bounded length, whatever the text`, () =>
      forAll({
        cases: 5_000,
        draw,
        check({ text, limit }) {
          const fitted = fit(text, limit, escape);
          assert.match(fitted, /^[ -~]*$/);
          assert.ok(fitted.length <= 2 * limit, `${fitted.length} of ${2 * limit} characters`);
        },
      }));
  }

  it("with escapeJson reads back as the text, or as its beginning and an ellipsis", () =>
    forAll({
      cases: 5_000,
      draw,
      check({ text, limit }) {
        const read: unknown = JSON.parse(`"${fit(text, limit, escapeJson)}"`);
        if (read === text) return;
        assert.ok(typeof read === "string" && read.endsWith(ELLIPSIS));
        assert.ok(text.startsWith(read.slice(0, -1)) && read.length < text.length + 1);
      },
    }));

  it("with escapeHex leaves nothing that would end a field in quotes", () =>
    forAll({
      cases: 5_000,
      draw,
      check({ text, limit }) {
        const escapes = /\\(?:x[0-9A-F]{2}|u[0-9a-f]{4})/g;
        assert.doesNotMatch(fit(text, limit, escapeHex).replaceAll(escapes, ""), /["\\]/);
      },
    }));
});

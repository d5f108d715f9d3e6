import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTraceparent } from "../../src/app/traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

describe("parseTraceparent", () => {
  for (const text of [`00-${TRACE}-${SPAN}-01`, `01-${TRACE}-${SPAN}-00-what-comes-later`]) {
    it(`reads ${text}`, () =>
      assert.deepEqual(parseTraceparent(text), { traceId: TRACE, spanId: SPAN }));
  }

  const refused = {
    "no header": undefined,
    "an empty one": "",
    "two in one": `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    "a version that is none": `ff-${TRACE}-${SPAN}-01`,
    "more than version 00 has": `00-${TRACE}-${SPAN}-01-x`,
    "capital letters": `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    "a trace of zeros": `00-${"0".repeat(32)}-${SPAN}-01`,
    "a span of zeros": `00-${TRACE}-${"0".repeat(16)}-01`,
    "too few digits": `00-${TRACE.slice(1)}-${SPAN}-01`,
  };
  for (const [what, text] of Object.entries(refused)) {
    it(`is undefined for ${what}`, () => assert.equal(parseTraceparent(text), undefined));
  }
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readParseFailure, type ParseFailure } from "../../src/http/parse-failure.ts";

/** What node:http reports when it has looked at the first `parsed` of these bytes. */
function failureOf(code: string, bytes = "", parsed = bytes.length): ParseFailure | undefined {
  const error = Object.assign(new Error(code), {
    code,
    rawPacket: Buffer.from(bytes, "latin1"),
    bytesParsed: parsed,
  });
  return readParseFailure(error);
}

describe("readParseFailure", () => {
  it("is no failure of a request that a connection broke", () => {
    assert.equal(readParseFailure(Object.assign(new Error(), { code: "ECONNRESET" })), undefined);
    assert.equal(readParseFailure(new Error("no code")), undefined);
  });

  it("tells a long request line from large headers", () => {
    const overflow = "HPE_HEADER_OVERFLOW";
    assert.equal(failureOf(overflow, `GET /${"x".repeat(99)}`)?.refusal.status, 414);
    assert.equal(failureOf(overflow, "GET / HTTP/1.1\r\nA: xxx")?.refusal.status, 431);
    assert.equal(failureOf(overflow, "xxxxxxxxxxxxxxxxxx")?.refusal.status, 431);
    assert.equal(failureOf(overflow)?.refusal.status, 431);
  });

  it("knows what was asked when the bytes begin with it", () => {
    const { line } = failureOf("HPE_INVALID_HEADER_TOKEN", "POST /a?b HTTP/1.0\r\nA b") ?? {};
    assert.deepEqual(line, { method: "POST", target: "/a?b", httpVersion: "1.0" });
  });

  it("does not take another request of the same bytes for it", () => {
    const bytes = "GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nA b";
    assert.equal(failureOf("HPE_INVALID_HEADER_TOKEN", bytes)?.line, undefined);
  });

  it("says when the peer has hung up in the middle", () => {
    assert.equal(failureOf("HPE_INVALID_EOF_STATE")?.isCutOff, true);
    assert.equal(failureOf("HPE_INVALID_METHOD")?.isCutOff, false);
  });
});

import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http2";
import { describe, it } from "node:test";
import { writeRequestHead } from "../../src/http/request-head.ts";

function write(headers: IncomingHttpHeaders, hasBody = false): string | undefined {
  const raw = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
  return writeRequestHead({ headers, raw, hasBody })?.text;
}

const GET = { ":method": "GET", ":path": "/a?b", ":scheme": "http", ":authority": "x.test" };

describe("writeRequestHead", () => {
  it("writes the authority as Host, and no pseudo-header", () => {
    assert.equal(write({ ...GET, a: "1" }), "GET /a?b HTTP/1.1\r\nHost: x.test\r\na: 1\r\n\r\n");
    const { ":authority": _, ...withoutAuthority } = GET;
    const text = write({ ...withoutAuthority, host: "y.test" });
    assert.equal(text, "GET /a?b HTTP/1.1\r\nHost: y.test\r\n\r\n");
  });

  it("sends a body without a length in chunks", () => {
    assert.match(write(GET, true) ?? "", /\r\ntransfer-encoding: chunked\r\n\r\n$/);
    assert.doesNotMatch(write({ ...GET, "content-length": "3" }, true) ?? "", /chunked/);
    assert.doesNotMatch(write(GET) ?? "", /chunked/);
  });

  it("writes one Cookie", () => {
    assert.match(write({ ...GET, cookie: "a=1; b=2" }) ?? "", /\r\ncookie: a=1; b=2\r\n\r\n$/);
  });

  for (const [what, headers] of Object.entries({
    "a method with a blank": { ":method": "GET /evil" },
    "no method": { ":method": "" },
    "a path with a blank": { ":path": "/ HTTP/1.1" },
    "a path with a line break": { ":path": "/\r\nHost: evil" },
    "an empty path": { ":path": "" },
    "an authority with a line break": { ":authority": "x\r\nHost: evil" },
    "a value with a line break": { a: "1\r\nHost: evil" },
    "a value with a NUL": { a: "1\0" },
  })) {
    it(`refuses ${what}`, () => assert.equal(write({ ...GET, ...headers }), undefined));
  }
});

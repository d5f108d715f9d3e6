import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ResponseDecoder, type Fields } from "../../src/http/response-decoder.ts";

interface Decoded {
  readonly informed: [number, Fields][];
  readonly head: [number, Fields, boolean][];
  readonly body: string;
  readonly trailers: Fields | undefined;
}

/** Decodes a response that arrives in pieces of so many bytes. */
function decode(text: string, size: number, method = "GET"): Decoded {
  const informed: Decoded["informed"] = [];
  const head: Decoded["head"] = [];
  let body = "";
  let trailers: Fields | undefined;
  const decoder = new ResponseDecoder(method, {
    informed: (...args) => void informed.push(args),
    head: (...args) => void head.push(args),
    data: (bytes) => void (body += bytes.toString("latin1")),
    end: (fields) => void (trailers = fields),
  });
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; at += size) decoder.write(bytes.subarray(at, at + size));
  decoder.end();
  return { informed, head, body, trailers };
}

function everySize(text: string, check: (decoded: Decoded) => void, method?: string): void {
  for (let size = 1; size <= text.length; size += 1) check(decode(text, size, method));
}

describe("ResponseDecoder", () => {
  it("reads a chunked body with trailers, wherever it is cut", () => {
    const text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n" +
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\nConnection: close\r\nX-Sum: 2\r\n\r\n";
    everySize(text, ({ head, body, trailers }) => {
      assert.deepEqual(head, [[200, { "content-type": "text/plain" }, false]]);
      assert.equal(body, "hello0123456789abcdef");
      assert.deepEqual(trailers, { "x-sum": ["1", "2"] });
    });
  });

  it("reads a counted body, and one that lasts until the end", () => {
    everySize(
      "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc",
      ({ head, body, trailers }) => {
        assert.deepEqual(head, [[201, { "content-length": "3" }, false]]);
        assert.deepEqual([body, trailers], ["abc", {}]);
      },
    );
    everySize("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", ({ body, trailers }) => {
      assert.deepEqual([body, trailers], ["abc", {}]);
    });
  });

  it("passes informational heads on before the final one", () => {
    const text =
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\nA: b: c\r\n\r\n";
    everySize(text, ({ informed, head, body }) => {
      assert.deepEqual(informed, [[103, { link: "</a>" }]]);
      assert.deepEqual([head, body], [[[204, { a: "b: c" }, true]], ""]);
    });
  });

  it("expects no body in the answer to HEAD, nor with 304 or a length of 0", () => {
    const last = (text: string, method?: string): boolean | undefined =>
      decode(text, 1_000, method).head[0]?.[2];
    assert.equal(last("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD"), true);
    assert.equal(last("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD"), true);
    assert.equal(last("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), true);
    assert.equal(last("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), true);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readListenCall, type Asked } from "../../src/app/listen-call.ts";

const callback = (): void => {};
const port = (number: number, host?: string): Asked => ({ kind: "port", port: number, host });

describe("readListenCall", () => {
  const calls: Record<string, readonly [args: readonly unknown[], asked: Asked]> = {
    "a port": [[3000], port(3000)],
    "a port as text": [["3000"], port(3000)],
    "a port and a host": [[3000, "::1"], port(3000, "::1")],
    "a port, a host and a backlog": [[3000, "::1", 5], port(3000, "::1")],
    "a port and a backlog": [[3000, 5], port(3000)],
    nothing: [[], port(0)],
    "a port that is not set": [[undefined], port(0)],
    "a port that is null": [[null], port(0)],
    "options with a port": [[{ port: 3000, host: "h" }], port(3000, "h")],
    "options with a port that is not set": [[{ port: undefined }], port(0)],
    "options with a port as text": [[{ port: "3000" }], port(3000)],
    "a path": [["/run/s"], { kind: "path", path: "/run/s" }],
    "options with a path": [[{ path: "/run/s" }], { kind: "path", path: "/run/s" }],
    "a descriptor": [[{ fd: 3 }], { kind: "handle" }],
    "an object with a handle": [[{ _handle: {} }], { kind: "handle" }],
  };
  for (const [what, [args, asked]] of Object.entries(calls)) {
    it(`reads ${what}, with a callback and without`, () => {
      assert.deepEqual(readListenCall(args)?.asked, asked);
      const read = readListenCall([...args, callback]);
      assert.deepEqual([read?.asked, typeof read?.callback], [asked, "function"]);
    });
  }

  it("keeps the options, and the backlog wherever it stands", () => {
    const signal = new AbortController().signal;
    assert.deepEqual(readListenCall([{ port: 1, signal }])?.options, { port: 1, signal });
    for (const args of [[1, 7], [1, "::", 7]]) assert.equal(readListenCall(args)?.options.backlog, 7); // prettier-ignore
  });

  const refused: readonly (readonly unknown[])[] = [[70_000], [-1], [1.5], [{}], [{ port: {} }]];
  for (const args of refused) {
    it(`leaves ${JSON.stringify(args)} to Node, which refuses it`, () => {
      assert.equal(readListenCall(args), undefined);
    });
  }
});

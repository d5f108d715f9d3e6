import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refuseUnsuitableNode } from "../../src/cli/node-version.ts";

function refuse(node?: { version: string; net: object }): {
  exitCode: number | undefined;
  text: string;
} {
  let text = "";
  const stderr = { write: (part: string) => (text += part) };
  return {
    exitCode:
      node === undefined ? refuseUnsuitableNode(stderr) : refuseUnsuitableNode(stderr, node),
    text,
  };
}

describe("refuseUnsuitableNode", () => {
  it("lets the Node of this test pass", () =>
    assert.deepEqual(refuse(), { exitCode: undefined, text: "" }));

  it("refuses a Node without bound sockets in one sentence", () => {
    const { exitCode, text } = refuse({ version: "v20.20.2", net: {} });
    assert.equal(exitCode, 3);
    assert.match(text, /^outrigger: needs Node\.js 24\.19 or newer .*; this is v20\.20\.2\n$/);
  });
});

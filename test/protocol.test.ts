import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCommand, parseReport } from "../src/protocol.ts";

const REFUSED = [
  undefined,
  null,
  "start",
  7,
  7n,
  [],
  {},
  { type: "" },
  { type: "toString" },
  { type: 1 },
  { cmd: "NODE_HANDLE" },
];

describe("parseCommand", () => {
  it("takes every command as it is", () => {
    for (const type of [
      "start",
      "report",
      "report-load",
      "limit",
      "reopen",
      "announce-close",
      "drain",
    ]) {
      const message = { type };
      assert.equal(parseCommand(message), message);
    }
  });

  it("refuses anything else, reports included, and quotes it", () => {
    for (const message of [...REFUSED, { type: "ready" }])
      assert.throws(() => parseCommand(message), { code: "ERR_PROTOCOL" });
    assert.throws(() => parseCommand({ type: "explode" }), {
      message: /^Cannot parse command \{ type: 'explode' \}: expected one of start, .*drain$/,
    });
  });
});

describe("parseReport", () => {
  it("takes every report as it is", () => {
    for (const type of ["ready", "failed", "snapshot", "drained"]) {
      const message = { type };
      assert.equal(parseReport(message), message);
    }
  });

  it("refuses anything else, commands included", () => {
    for (const message of [...REFUSED, { type: "drain" }])
      assert.throws(() => parseReport(message), { code: "ERR_PROTOCOL" });
  });

  it("quotes no more than a line of it", () => {
    const huge = { type: "huge", text: "x".repeat(10_000) };
    assert.throws(
      () => parseReport(huge),
      ({ message }: Error) => message.length < 400,
    );
  });
});

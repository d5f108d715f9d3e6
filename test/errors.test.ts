import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeError, errnoOf, EXIT_CODES, OutriggerError } from "../src/errors.ts";

describe("OutriggerError", () => {
  for (const [code, exitCode] of [
    ["ERR_USAGE", EXIT_CODES.usage],
    ["ERR_CONFIG", EXIT_CODES.usage],
    ["ERR_ENDPOINT", EXIT_CODES.usage],
    ["ERR_LISTEN", EXIT_CODES.startup],
    ["ERR_APP", EXIT_CODES.startup],
    ["ERR_WORKER", EXIT_CODES.startup],
    ["ERR_PROTOCOL", EXIT_CODES.failure],
    ["ERR_STATE", EXIT_CODES.failure],
  ] as const) {
    it(`leaves with ${exitCode} for ${code}`, () => {
      assert.equal(new OutriggerError(code, "Cannot do it").exitCode, exitCode);
    });
  }
});

describe("EXIT_CODES", () => {
  it("are what the documentation says", () => {
    assert.deepEqual(EXIT_CODES, { ok: 0, failure: 1, usage: 2, startup: 3, forced: 4 });
  });
});

describe("describeError", () => {
  it("gives the sentence of an error we foresaw, and no stack", () => {
    const error = new OutriggerError("ERR_LISTEN", "Cannot listen", { cause: new Error("why") });
    assert.deepEqual(describeError(error), { message: "Cannot listen", code: "ERR_LISTEN" });
  });

  it("gives the stack of any other, with what caused it", () => {
    const error = new Error("outer", { cause: new TypeError("inner") });
    const { message, stack = "" } = describeError(error);
    assert.equal(message, "outer");
    assert.match(stack, /^Error: outer\n[\s\S]+\nCaused by: TypeError: inner\n/);
  });

  it("gives the code of a system error", () => {
    const error = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
    assert.equal(describeError(error).code, "EADDRINUSE");
  });

  it("says something of anything that can be thrown", () => {
    for (const [thrown, message] of [
      ["text", "text"],
      [undefined, "undefined"],
      [7n, "7"],
      [new RangeError(""), "RangeError"],
    ] as const)
      assert.equal(describeError(thrown).message, message);
  });

  it("survives the way to another process", () => {
    const described = describeError(new Error("x"));
    assert.deepEqual(structuredClone(described), described);
  });
});

describe("errnoOf", () => {
  it("is the code of a system error and nothing else", () => {
    assert.equal(errnoOf(Object.assign(new Error("x"), { code: "ENOENT" })), "ENOENT");
    assert.equal(errnoOf(Object.assign(new Error("x"), { code: 7 })), undefined);
    assert.equal(errnoOf(new Error("x")), undefined);
    assert.equal(errnoOf({ code: "ENOENT" }), undefined);
  });
});

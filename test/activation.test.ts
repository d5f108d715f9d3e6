import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readActivation } from "../src/activation.ts";

const PID = 4711;

describe("readActivation", () => {
  it("counts descriptors from 3 on, with the names they came with", () => {
    const env = { LISTEN_FDS: "3", LISTEN_PID: "4711", LISTEN_FDNAMES: "web::web" };
    assert.deepEqual(readActivation(env, PID), {
      kind: "handed",
      descriptors: [
        { descriptor: 3, name: "web" },
        { descriptor: 4, name: "" },
        { descriptor: 5, name: "web" },
      ],
    });
  });

  it("knows no names where none were given", () => {
    assert.deepEqual(readActivation({ LISTEN_FDS: "1", LISTEN_PID: "4711" }, PID), {
      kind: "handed",
      descriptors: [{ descriptor: 3, name: undefined }],
    });
  });

  it("takes nothing where nothing was handed over", () => {
    for (const env of [{}, { LISTEN_FDS: "" }, { LISTEN_PID: "4711" }])
      assert.deepEqual(readActivation(env, PID), { kind: "none" });
  });

  const refused: [Parameters<typeof readActivation>[0], RegExp][] = [
    [{ LISTEN_FDS: "1", LISTEN_PID: "4712" }, /for process 4712, and we are process 4711; start us without a process in between/],
    [{ LISTEN_FDS: "1" }, /LISTEN_PID is not set/],
    [{ LISTEN_FDS: "two", LISTEN_PID: "4711" }, /LISTEN_FDS is "two", expected a number above 0/],
    [{ LISTEN_FDS: "0", LISTEN_PID: "4711" }, /LISTEN_FDS is "0"/],
    [{ LISTEN_FDS: "2", LISTEN_PID: "4711", LISTEN_FDNAMES: "a" }, /LISTEN_FDNAMES has 1 names for 2 sockets/],
  ]; // prettier-ignore
  for (const [env, reason] of refused) {
    it(`says why ${JSON.stringify(env)} is not for us`, () => {
      const activation = readActivation(env, PID);
      assert.equal(activation.kind, "refused");
      assert.match(activation.kind === "refused" ? activation.reason : "", reason);
    });
  }
});

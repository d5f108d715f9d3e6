import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HttpConfig } from "../../src/config/config.ts";
import { chooseTimeouts, type OwnTimeouts } from "../../src/config/timeouts.ts";

const PROGRAM = { keepAliveTimeoutMs: 75_000, headersTimeoutMs: 60_000, requestTimeoutMs: 300_000 };

describe("chooseTimeouts", () => {
  const cases: [string, OwnTimeouts | undefined, Partial<HttpConfig>][] = [
    ["takes the program's where the endpoint has none", undefined, {}],
    ["prefers the endpoint's", { keepAliveTimeoutMs: 1 }, { keepAliveTimeoutMs: 1 }],
    [
      "lets the headers follow a shorter request timeout down",
      { requestTimeoutMs: 5_000 },
      { requestTimeoutMs: 5_000, headersTimeoutMs: 5_000 },
    ],
    ["keeps them where a request has no limit", { requestTimeoutMs: 0 }, { requestTimeoutMs: 0 }],
    [
      "takes both from the endpoint",
      { requestTimeoutMs: 5_000, headersTimeoutMs: 1_000 },
      { requestTimeoutMs: 5_000, headersTimeoutMs: 1_000 },
    ],
    ["lets headers have no limit", { headersTimeoutMs: 0 }, { headersTimeoutMs: 0 }],
  ];
  for (const [what, own, chosen] of cases) {
    it(what, () => assert.deepEqual(chooseTimeouts(own, PROGRAM), { ...PROGRAM, ...chosen }));
  }

  it("gives headers no more than a request has, whatever became of the program's since", () => {
    const shorter = { ...PROGRAM, headersTimeoutMs: 2_000, requestTimeoutMs: 2_000 };
    assert.equal(chooseTimeouts({ headersTimeoutMs: 9_000 }, shorter).headersTimeoutMs, 2_000);
  });
});

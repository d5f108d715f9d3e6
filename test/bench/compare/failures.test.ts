import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Failure } from "./client.ts";
import { countFates, describeProblems, neverConnected } from "./failures.ts";

const REST =
  'client: 127.0.0.1, server: , request: "POST /POST-1 HTTP/1.1", upstream: "http://unix:/a"';
const RESET = `2026/01/01 10:00:00 [error] 7#7: *1 recv() failed (104: Connection reset by peer) while reading response header from upstream, ${REST}`;
const REFUSED = `2026/01/01 10:00:00 [crit] 7#7: *1 connect() to unix:/a failed (2: No such file or directory) while connecting to upstream, ${REST}`;
const BUFFERED = `2026/01/01 10:00:00 [warn] 7#7: *1 a client request body is buffered to a temporary file, ${REST}`;

function failed(id: string, problem: string = "502"): Failure {
  return { id, method: "POST", problem };
}

describe("neverConnected", () => {
  it("names a request for which nginx found nobody", () => {
    assert.deepEqual([...neverConnected(`${BUFFERED}\n${REFUSED}\n${REFUSED}\n`)], ["POST-1"]);
  });

  it("leaves out one that was sent before nobody was left", () => {
    assert.deepEqual([...neverConnected(`${RESET}\n${REFUSED}\n`)], []);
  });

  it("leaves out one of which nginx only has a warning", () => {
    assert.deepEqual([...neverConnected(BUFFERED)], []);
  });
});

describe("countFates", () => {
  it("asks the workers first, then nginx", () => {
    const evidence = { unfinished: new Set(["POST-2"]), errorLog: REFUSED };
    assert.deepEqual(
      countFates(
        ["POST-1", "POST-2", "POST-3"].map((id) => failed(id)),
        evidence,
      ),
      {
        executing: 1,
        sent: 1,
        refused: 1,
      },
    );
  });
});

describe("describeProblems", () => {
  it("counts what the client saw", () => {
    const failures = [failed("1"), failed("2", "ECONNRESET"), failed("3")];
    assert.equal(describeProblems(failures), "502 × 2, ECONNRESET × 1");
  });
});

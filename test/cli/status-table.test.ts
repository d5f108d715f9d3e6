import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatStatus } from "../../src/cli/status-table.ts";
import type { Phase } from "../../src/lifecycle/phase.ts";
import { describeStatus } from "../../src/ops/status.ts";
import {
  endpointFixture,
  processFixture,
  snapshotFixture,
  workerFixture,
} from "../helpers/snapshot.ts";

describe("formatStatus", () => {
  it("lines up what a program says of itself", () => {
    const snapshot = snapshotFixture({
      endpoints: [
        endpointFixture({ kernel: { accepted: 12, queued: 3 } }),
        endpointFixture({ name: "tcp", address: "127.0.0.1:8000", up: false, problem: "withdrawn", kernel: undefined }),
      ],
      workers: [
        workerFixture({ connections: 12, requestsInFlight: 4, process: processFixture({ startTimeSeconds: 1_700_000_060 - 3_725 }) }),
        workerFixture({ slot: 10, pid: 1_234, health: { healthy: false, message: "no\n\u001B[2Jdatabase" } }),
        workerFixture({ slot: 2, pid: undefined, state: "spawned", process: undefined }),
      ],
      backoffs: [{ slot: 3, failures: 4, retryInMs: 1_500 }],
    }); // prettier-ignore
    const status: unknown = JSON.parse(JSON.stringify(describeStatus(snapshot)));
    assert.equal(
      formatStatus(status),
      `outrigger 1.2.3, pid 100, up 1m0s: ready, but /readyz fails

ENDPOINT  CONNECTIONS  QUEUE  IN FLIGHT  REQUESTS  ADDRESS
app                12      3          0         0  /run/app.sock
tcp                 0      -          0         0  127.0.0.1:8000, not up: withdrawn

WORKER   PID  CONNECTIONS  IN FLIGHT  MEMORY   AGE  STATE
     0   100           12          4  47.7Mi  1h2m  ready
    10  1234            0          0  47.7Mi  1m0s  ready, unhealthy: no [2Jdatabase
     2     -            0          0       -     -  spawned
     3     -            -          -       -     -  ended 4 times in a row, tried again in 2s
`,
    );
  });

  it("says how long a drain has gone on, or is announced during a start", () => {
    const headOf = (phase: Phase): string | undefined => {
      const snapshot = snapshotFixture({ phase, drainStartedAtMs: 1_700_000_050_000 });
      return formatStatus(JSON.parse(JSON.stringify(describeStatus(snapshot)))).split("\n", 1)[0];
    };
    assert.equal(headOf("draining"), "outrigger 1.2.3, pid 100, up 1m0s: draining for 10s");
    assert.equal(
      headOf("starting"),
      "outrigger 1.2.3, pid 100, up 1m0s: starting, drain announced 10s ago",
    );
  });

  it("shows what it does not know as a dash", () => {
    assert.match(
      formatStatus({ workers: "none" }),
      /^outrigger -, pid -, up -: -\n\nENDPOINT .*\n\nWORKER .*\n$/,
    );
    assert.match(formatStatus([]), /^outrigger -/);
  });
});

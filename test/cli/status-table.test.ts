import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatStatus } from "../../src/cli/status-table.ts";
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
        workerFixture({ slot: 10, pid: 1_234, health: { healthy: false, message: "no database" } }),
        workerFixture({ slot: 2, pid: undefined, state: "spawned", process: undefined }),
      ],
    }); // prettier-ignore
    const status: unknown = JSON.parse(JSON.stringify(describeStatus(snapshot)));
    assert.equal(
      formatStatus(status),
      `outrigger 1.2.3, pid 100, up 1m0s: ready, but /readyz fails

ENDPOINT  ADDRESS         UP         CONNECTIONS  QUEUED  IN FLIGHT  REQUESTS
app       /run/app.sock   yes                 12       3          0         0
tcp       127.0.0.1:8000  withdrawn            0       -          0         0

WORKER   PID  STATE                          CONNECTIONS  IN FLIGHT  MEMORY   AGE
     0   100  ready                                   12          4  47.7Mi  1h2m
    10  1234  ready, unhealthy: no database            0          0  47.7Mi  1m0s
     2     -  spawned                                  0          0       -     -
`,
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

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeStatus } from "../../src/ops/status.ts";
import { endpointFixture, snapshotFixture, workerFixture } from "../helpers/snapshot.ts";

describe("describeStatus", () => {
  it("shows phase, endpoints and workers", () => {
    const body: unknown = JSON.parse(
      JSON.stringify(
        describeStatus(
          snapshotFixture({
            endpoints: [
              endpointFixture({
                kernel: { accepted: 3, queued: 2 },
                up: false,
                problem: "file is gone",
              }),
            ],
            workers: [workerFixture({ health: { healthy: false, message: "no database" } })],
          }),
        ),
      ),
    );
    assert.partialDeepStrictEqual(body, {
      version: "1.2.3",
      phase: "ready",
      ready: false,
      uptime_seconds: 60,
      endpoints: [
        {
          name: "app",
          address: "/run/app.sock",
          problem: "file is gone",
          connections: { open: 3, queued: 2, accepted: 0 },
        },
      ],
      workers: {
        wanted: 2,
        slots: [
          { slot: 0, pid: 100, healthy: false, health_message: "no database", uptime_seconds: 60 },
        ],
      },
    });
  });

  it("survives JSON with nothing known", () => {
    const snapshot = snapshotFixture({
      endpoints: [],
      workers: [workerFixture({ pid: undefined, process: undefined })],
    });
    assert.doesNotThrow(() => JSON.stringify(describeStatus(snapshot)));
  });
});

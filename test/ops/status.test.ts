import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EndpointCounters } from "../../src/counters.ts";
import { describeStatus } from "../../src/ops/status.ts";
import {
  endpointFixture,
  processFixture,
  snapshotFixture,
  workerFixture,
} from "../helpers/snapshot.ts";

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

  it("says why it is not ready, and until when it drains", () => {
    const status = describeStatus(
      snapshotFixture({
        phase: "draining",
        drainStartedAtMs: 1_700_000_050_000,
        drainDeadlineAtMs: 1_700_000_080_000,
        workers: [],
      }),
    );
    assert.deepEqual(status.not_ready_because.slice(0, 2), [
      "phase is draining",
      "0 workers are ready, 1 needed",
    ]);
    assert.equal(status.drain_started_at, "2023-11-14T22:14:10.000Z");
    assert.equal(status.drain_deadline_at, "2023-11-14T22:14:40.000Z");
  });

  it("adds up the requests of all methods, by status and duration", () => {
    const counters = new EndpointCounters();
    for (const [method, code, seconds] of [
      ["GET", 200, 0.001],
      ["POST", 200, 0.06],
      ["GET", 503, 20],
    ] as const) {
      counters.countStarted();
      counters.countFinished(method, code, seconds);
    }
    const { endpoints } = describeStatus(
      snapshotFixture({ endpoints: [endpointFixture({ counters })] }),
    );
    const requests = endpoints[0]?.requests;
    assert.equal(requests?.ended, 3);
    assert.deepEqual(requests.by_status, { "2xx": 2, "5xx": 1 });
    const { bounds_seconds: bounds, buckets, sum_seconds: sum } = requests.duration;
    assert.equal(bounds.length, 14);
    assert.deepEqual(
      buckets.flatMap((count, index) => (count > 0 ? [index] : [])),
      [0, 4, 14],
    );
    assert.equal(sum.toFixed(3), "20.061");
  });

  it("does not know the delay of an event loop that gave no sample", () => {
    const eventLoopLagSeconds = { min: 0, mean: 0, max: 0, p50: 0, p99: 0 };
    const worker = workerFixture({ process: processFixture({ eventLoopLagSeconds }) });
    const { workers } = describeStatus(snapshotFixture({ workers: [worker, workerFixture()] }));
    assert.deepEqual(
      workers.slots.map((slot) => slot.event_loop_delay_seconds),
      [undefined, 0.015],
    );
  });

  it("survives JSON with nothing known", () => {
    const snapshot = snapshotFixture({
      endpoints: [],
      workers: [workerFixture({ pid: undefined, process: undefined })],
    });
    assert.doesNotThrow(() => JSON.stringify(describeStatus(snapshot)));
  });
});

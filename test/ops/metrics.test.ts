import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { EndpointCounters } from "../../src/counters.ts";
import { createMetricsWriter } from "../../src/ops/metrics.ts";
import { noRestarts, type Snapshot } from "../../src/snapshot.ts";
import { needs } from "../helpers/needs.ts";
import {
  endpointFixture,
  processFixture,
  snapshotFixture,
  workerFixture,
} from "../helpers/snapshot.ts";

function busySnapshot(): Snapshot {
  const counters = new EndpointCounters();
  for (let index = 0; index < 3; index += 1) counters.countAccepted();
  counters.countClosed("idle_timeout");
  counters.countRejected("bad_request");
  for (const [method, status, seconds] of [
    ["GET", 200, 0.003],
    ["GET", 204, 0.9],
    ["BREW", 418, 20],
  ] as const) {
    counters.countStarted();
    counters.countFinished(method, status, seconds);
  }
  counters.countStarted();
  return snapshotFixture({
    phase: "draining",
    drainStartedAtMs: 1_700_000_050_500,
    workersMissing: 1,
    workerRestarts: { ...noRestarts(), crash: 4 },
    backoffs: [{ slot: 1, failures: 4, retryInMs: 400 }],
    endpoints: [
      endpointFixture({ counters, kernel: { accepted: 7, queued: 5 } }),
      endpointFixture({
        name: 'odd"\\\nname',
        transport: "tcp",
        up: false,
        counters,
        kernel: undefined,
      }),
    ],
    workers: [
      workerFixture({
        slot: 0,
        state: "draining",
        process: processFixture({ startTimeSeconds: 10 }),
      }),
      workerFixture({
        slot: 0,
        process: processFixture({ startTimeSeconds: 20, cpuUserSeconds: 99 }),
      }),
      workerFixture({ slot: 1, state: "starting", process: undefined }),
    ],
  });
}

async function textOf(snapshot: Snapshot): Promise<string> {
  return (await createMetricsWriter()("text", snapshot)).text;
}

const LINES = [
  'outrigger_endpoint_connections{endpoint="app"} 7',
  'outrigger_endpoint_connections{endpoint="odd\\"\\\\\\nname"} 2',
  'outrigger_endpoint_connections_accepted_total{endpoint="app"} 3',
  'outrigger_endpoint_connections_closed_total{endpoint="app",reason="idle_timeout"} 1',
  'outrigger_endpoint_connections_closed_total{endpoint="app",reason="worker_lost"} 0',
  'outrigger_endpoint_connections_rejected_total{endpoint="app",reason="bad_request"} 1',
  'outrigger_endpoint_connections_rejected_total{endpoint="app",reason="max_connections"} 0',
  'outrigger_endpoint_accept_queue{endpoint="app"} 5',
  'outrigger_endpoint_requests_in_flight{endpoint="app"} 1',
  'outrigger_endpoint_up{endpoint="app",transport="unix"} 1',
  'outrigger_endpoint_up{endpoint="odd\\"\\\\\\nname",transport="tcp"} 0',
  'http_server_request_duration_seconds_bucket{endpoint="app",method="GET",status="2xx",le="0.005"} 1',
  'http_server_request_duration_seconds_bucket{endpoint="app",method="GET",status="2xx",le="1"} 2',
  'http_server_request_duration_seconds_bucket{endpoint="app",method="GET",status="2xx",le="+Inf"} 2',
  'http_server_request_duration_seconds_sum{endpoint="app",method="GET",status="2xx"} 0.903',
  'http_server_request_duration_seconds_count{endpoint="app",method="_OTHER",status="4xx"} 1',
  'http_server_request_duration_seconds_bucket{endpoint="app",method="_OTHER",status="4xx",le="10"} 0',
  'http_server_request_duration_seconds_bucket{endpoint="app",method="_OTHER",status="4xx",le="+Inf"} 1',
  'outrigger_workers{state="spawned"} 0',
  'outrigger_workers{state="ready"} 1',
  'outrigger_workers{state="draining"} 1',
  'outrigger_workers{state="backoff"} 1',
  'outrigger_worker_restarts_total{reason="crash"} 4',
  'outrigger_worker_restarts_total{reason="start_failed"} 0',
  'outrigger_state{state="ready"} 0',
  'outrigger_state{state="draining"} 1',
  "outrigger_socket_stale_removed_total 0",
  "outrigger_socket_lost_total 0",
  "outrigger_drain_forced_close_total 0",
  "outrigger_drain_started_timestamp_seconds 1700000050.5",
  "outrigger_metrics_workers_missing 1",
  `outrigger_build_info{version="1.2.3",node_version="${process.version}"} 1`,
  'process_cpu_seconds_total{worker="supervisor"} 1.75',
  'process_resident_memory_bytes{worker="supervisor"} 50000000',
  'nodejs_eventloop_lag_p99_seconds{worker="0"} 0.015',
  'nodejs_heap_size_used_bytes{worker="0"} 10000000',
];

describe("createMetricsWriter", () => {
  it("writes every line of a busy program", async () => {
    const lines = (await textOf(busySnapshot())).split("\n");
    assert.deepEqual(
      LINES.filter((line) => !lines.includes(line)),
      [],
    );
  });

  it("writes no series twice while two workers fill one slot: the younger counts", async () => {
    const lines = (await textOf(busySnapshot()))
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    const names = lines.map((line) => line.slice(0, line.lastIndexOf(" ")));
    assert.equal(new Set(names).size, names.length);
    assert.ok(lines.includes('process_cpu_user_seconds_total{worker="0"} 99'));
  });

  it("leaves out what is not known", async () => {
    const text = await textOf(
      snapshotFixture({ endpoints: [endpointFixture({ kernel: undefined })] }),
    );
    assert.doesNotMatch(text, /^outrigger_endpoint_accept_queue\{/m);
    assert.doesNotMatch(text, /^outrigger_drain_started_timestamp_seconds /m);
  });

  it("writes no line for a value that is no number", async () => {
    const eventLoopLagSeconds = { min: 0, mean: Number.NaN, max: 0, p50: 0, p99: 0 };
    const text = await textOf(
      snapshotFixture({ process: processFixture({ eventLoopLagSeconds }), workers: [] }),
    );
    assert.doesNotMatch(text, /nan/i);
  });

  it("writes OpenMetrics: families without _total, float bounds, an end", async () => {
    const { contentType, text } = await createMetricsWriter()("openmetrics", busySnapshot());
    assert.equal(contentType, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert.match(text, /^# TYPE outrigger_endpoint_connections_accepted counter$/m);
    assert.match(text, /^outrigger_endpoint_connections_accepted_total\{endpoint="app"\} 3$/m);
    assert.match(text, /_bucket\{endpoint="app",method="GET",status="2xx",le="1\.0"\} 2$/m);
    assert.doesNotMatch(text, /_total_total/);
    assert.ok(text.endsWith("\n# EOF\n"));
  });

  it("keeps the formats and overlapping scrapes apart", async () => {
    const write = createMetricsWriter();
    const [first, open, second] = await Promise.all([
      write("text", snapshotFixture({ socketsLost: 1 })),
      write("openmetrics", snapshotFixture({ socketsLost: 2 })),
      write("text", snapshotFixture({ socketsLost: 3 })),
    ]);
    assert.match(first.text, /^outrigger_socket_lost_total 1$/m);
    assert.match(open.text, /^outrigger_socket_lost_total 2$/m);
    assert.match(second.text, /^outrigger_socket_lost_total 3$/m);
    assert.equal(second.contentType, "text/plain; version=0.0.4; charset=utf-8");
    assert.match(second.text, /^# TYPE outrigger_socket_lost_total counter$/m);
  });

  for (const [what, snapshot] of [
    ["at start", snapshotFixture({ phase: "starting", workers: [] })],
    ["of a busy program", busySnapshot()],
  ] as const) {
    it(`passes promtool ${what}`, needs("promtool"), async () => {
      const input = await textOf(snapshot);
      const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
        input,
        encoding: "utf8",
      });
      assert.deepEqual({ status, output: stdout + stderr }, { status: 0, output: "" });
    });
  }
});

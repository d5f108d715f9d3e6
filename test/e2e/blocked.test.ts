import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { errnoOf } from "../../src/errors.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { request, type Response } from "../helpers/http.ts";
import { scrape } from "../helpers/metrics.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx } from "../helpers/nginx.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { keepAliveAgent, queued, STOPPED } from "../helpers/stopping.ts";

const DEADLINE_MS = 15_000;
const BLOCKED_MS = 5_000;
/** Ends well before the block does, so that a machine that stalls does not let a sample slip behind it. */
const SAMPLED_MS = 3_500;
const PROBES = ["/livez", "/readyz", "/metrics"] as const;

async function timed(ask: () => Promise<{ readonly status: number }>): Promise<number> {
  const startMs = performance.now();
  assert.equal((await ask()).status, 200);
  return performance.now() - startMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The one worker that is ready. */
async function workerPid(service: Serving): Promise<number> {
  return await eventually(
    DEADLINE_MS,
    () => {
      const [pid, ...others] = service.program.workerPids();
      return others.length === 0 ? pid : undefined;
    },
    "one ready worker",
  );
}

/** Sends a request that keeps the worker busy, and resolves when it does; the answer is yours to await. */
async function block(
  service: Serving,
  ms: number,
): Promise<{ readonly answer: Promise<Response> }> {
  const answer = service.request({ path: `/block?ms=${ms}` });
  await service.program.line(({ app }) => app === "blocking");
  return { answer };
}

async function kill(service: Serving): Promise<void> {
  const pid = await workerPid(service);
  process.kill(pid, "SIGKILL");
  await service.program.line((line) => line.msg === "worker exited" && line["pid"] === pid);
}

describe("while the app blocks the event loop of the only worker", () => {
  it("answers probes and scrapes in under 50 ms", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    const { answer } = await block(service, BLOCKED_MS);
    const times = new Map(PROBES.map((path) => [path, [] as number[]]));
    const missing: unknown[] = [];
    const endMs = performance.now() + SAMPLED_MS;
    while (performance.now() < endMs) {
      for (const [path, taken] of times) taken.push(await timed(() => service.ops(path)));
      missing.push((await scrape(service.opsPort)).value("outrigger_metrics_workers_missing"));
    }
    assert.deepEqual(new Set(missing), new Set([1]));
    for (const [path, taken] of times) {
      const worstMs = Math.max(...taken);
      const summary = `${path}: ${taken.length} samples, median ${median(taken)} ms, worst ${worstMs} ms`;
      t.diagnostic(summary);
      assert.ok(taken.length >= 10, summary);
      assert.ok(median(taken) < 50, summary);
      // The worker burns one CPU of two, another test file the second: a single sample may wait for its
      // turn, but one that waited for the worker would take seconds.
      assert.ok(worstMs < 500, summary);
    }
    assert.equal((await answer).status, 200);
    await eventually(
      DEADLINE_MS,
      async () => {
        const metrics = await scrape(service.opsPort);
        return metrics.value("outrigger_metrics_workers_missing") === 0 || undefined;
      },
      "the worker to answer again",
    );
  });

  it("answers a scraper that is in a hurry with what is known", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    await service.request({ path: "/" });
    assert.equal(await service.sum("http_server_request_duration_seconds_count"), 1);
    const { answer } = await block(service, 1_500);
    const headers = { "x-prometheus-scrape-timeout-seconds": "0.001" };
    const { status, text } = await service.ops("/metrics", { headers });
    assert.equal(status, 200);
    assert.match(text(), /^outrigger_metrics_workers_missing 1$/m);
    assert.match(text(), /^http_server_request_duration_seconds_count\{.*\} 1$/m);
    await answer;
  });

  it("keeps requests in the queue and answers them afterwards", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    const { answer } = await block(service, 1_500);
    const waiting = Array.from({ length: 10 }, () => service.request({ path: "/" }));
    await queued(service.dir, 10);
    assert.equal(
      (await scrape(service.opsPort)).value("outrigger_endpoint_accept_queue", { endpoint: "app" }),
      10,
    );
    for (const { status } of await Promise.all(waiting)) assert.equal(status, 200);
    assert.equal((await answer).status, 200);
    assert.equal((await scrape(service.opsPort)).value("outrigger_endpoint_accept_queue"), 0);
  });
});

describe("when the only worker is killed", () => {
  it("costs the requests it was executing and nothing else", needs("nginx"), async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--access-log", "off"] });
    const nginx = await startNginx(t, {
      dir: service.dir,
      socket: service.socketPath,
      keepalive: 8,
    });
    const clients = startClients(t, nginx.port);
    await clients.answers(200);
    const pid = await workerPid(service);
    // Nothing but these is executing: the requests of the clients are answered on the spot.
    const hanging = [0, 1].map(() => request({ port: nginx.port, path: "/hang", body: "x" }));
    await eventually(
      DEADLINE_MS,
      async () => (await service.sum("outrigger_endpoint_requests_in_flight")) >= 2 || undefined,
      "the requests to hang",
    );
    process.kill(pid, "SIGKILL");
    assert.deepEqual(
      (await Promise.all(hanging)).map(({ status }) => status),
      [502, 502],
    );
    await service.program.line((line) => line.msg === "worker ready" && line["pid"] !== pid);
    await clients.answers(200);
    await clients.end();

    const errors = await nginx.errorLog();
    assert.doesNotMatch(errors, /connect\(\).*failed/);
    const upstreamErrors = errors.split("\n").filter((line) => line.includes("upstream"));
    for (const line of upstreamErrors)
      assert.match(line, /prematurely closed|reset by peer|broken pipe/i);
    // A client has one request on its way at a time, so no more than one each was with the worker.
    assert.ok(clients.failed.length <= clients.count, JSON.stringify(clients.failed));
    assert.deepEqual(
      clients.failed.filter((status) => status !== 502),
      [],
    );
    const metrics = await service.metrics();
    assert.equal(metrics.value("outrigger_worker_restarts_total", { reason: "killed" }), 1);
    assert.equal(metrics.value("outrigger_worker_restarts_total", { reason: "start_failed" }), 0);
    assert.equal(metrics.value("outrigger_endpoint_requests_in_flight"), 0);
  });

  it("answers requests that are sent before its successor lives", async (t) => {
    const service = await serveApp(t, "slow-start.mjs", { env: { START_MS: "1000" } });
    await kill(service);
    const waiting = Array.from({ length: 20 }, () => service.request({ path: "/" }));
    await queued(service.dir, 20);
    assert.equal((await service.ops("/readyz/workers")).status, 503);
    assert.equal((await service.ops("/livez")).status, 200);
    for (const { status, text } of await Promise.all(waiting))
      assert.deepEqual([status, text()], [200, "started"]);
    assert.equal((await service.ops("/readyz")).status, 200);
  });

  it("gives up its connections and frees them for good", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => RawClient.open(t, { path: service.socketPath })),
    );
    await eventually(
      DEADLINE_MS,
      async () =>
        (await service.sum("outrigger_endpoint_connections_accepted_total")) === 5 || undefined,
      "5 connections to be counted",
    );
    assert.equal(await service.sum("outrigger_endpoint_connections"), 5);
    await kill(service);
    for (const client of clients) assert.equal(await client.ended(), "");
    const metrics = await service.metrics();
    assert.equal(metrics.value("outrigger_endpoint_connections"), 0);
    assert.equal(
      metrics.value("outrigger_endpoint_connections_closed_total", { reason: "worker_lost" }),
      5,
    );
    assert.equal((await service.request({ path: "/" })).status, 200);
  });

  it("stops cleanly while its successor is not ready yet", async (t) => {
    const service = await serveApp(t, "slow-start.mjs", { env: { START_MS: "1000" } });
    await kill(service);
    const waiting = service.request({ path: "/" });
    await queued(service.dir, 1);
    service.program.signal("SIGTERM");
    assert.equal((await waiting).text(), "started");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });
});

interface Clients {
  readonly count: number;
  /** Statuses other than 200. */
  readonly failed: number[];
  answers(more: number): Promise<void>;
  end(): Promise<void>;
}

/** Clients of a proxy that post again and again on connections that are kept alive. */
function startClients(t: TestContext, port: number): Clients {
  const count = 8;
  const failed: number[] = [];
  let isOn = true;
  let answered = 0;
  const loops = Array.from({ length: count }, async (_, index) => {
    const agent = keepAliveAgent(t);
    while (isOn) {
      const body = `${index}:${answered}`;
      const answer = await request({ port, path: "/echo", agent, body }).catch((error: unknown) => {
        throw new Error(`nginx itself failed: ${errnoOf(error)}`, { cause: error });
      });
      if (answer.status === 200) assert.equal(answer.text(), body);
      else failed.push(answer.status);
      answered += answer.status === 200 ? 1 : 0;
    }
  });
  return {
    count,
    failed,
    async answers(more) {
      const target = answered + more;
      const reached = eventually(DEADLINE_MS, () => answered >= target || undefined, "answers");
      await Promise.race([reached, Promise.all(loops)]);
    },
    async end() {
      isOn = false;
      await within(DEADLINE_MS, Promise.all(loops), "the clients to end");
    },
  };
}

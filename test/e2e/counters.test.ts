import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { CounterWatch } from "../helpers/counter-watch.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { scrape, type Metrics } from "../helpers/metrics.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { accepted, keepAliveAgent, STOPPED } from "../helpers/stopping.ts";

const DEADLINE_MS = 15_000;
const OPEN = "outrigger_endpoint_connections";
const ACCEPTED = "outrigger_endpoint_connections_accepted_total";
const CLOSED = "outrigger_endpoint_connections_closed_total";
const REQUESTS = "http_server_request_duration_seconds_count";

/** Sends requests until the test ends. */
function keepBusy(t: TestContext, service: Serving): void {
  let isOn = true;
  const clients = Array.from({ length: 4 }, async (_, index) => {
    const agent = keepAliveAgent(t);
    // Requests that a killed worker had are lost, and meant to be.
    while (isOn) await service.request({ path: "/echo", agent, body: `${index}` }).catch(() => {});
  });
  onEnd(t, async () => {
    isOn = false;
    await within(DEADLINE_MS, Promise.all(clients), "the clients to end");
  });
}

/** 20 GETs, 5 POSTs, and a response that has begun and does not end: by then all before it was written. */
async function serveAndStream(t: TestContext, service: Serving): Promise<RawClient> {
  for (let index = 0; index < 20; index += 1) await service.request({ path: "/" });
  for (let index = 0; index < 5; index += 1) await service.request({ path: "/echo", body: "x" });
  const client = await RawClient.open(t, { path: service.socketPath });
  client.send("GET /chunks?count=1000 HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.until(/chunk 1/);
  return client;
}

function countsOf(metrics: Metrics): { gets: number; posts: number; inFlight: number | undefined } {
  return {
    gets: metrics.sum(REQUESTS, { method: "GET", status: "2xx" }),
    posts: metrics.sum(REQUESTS, { method: "POST", status: "2xx" }),
    inFlight: metrics.value("outrigger_endpoint_requests_in_flight"),
  };
}

describe("counters", () => {
  it("never fall while workers are killed", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
    keepBusy(t, service);
    const watch = await CounterWatch.begin(service);
    for (let kills = 1; kills <= 10; kills += 1) {
      const [victim] = await eventually(
        DEADLINE_MS,
        () => {
          const pids = service.program.workerPids();
          return pids.length === 2 ? pids : undefined;
        },
        "two ready workers",
      );
      for (let samples = 0; samples < 5; samples += 1) await watch.sample();
      process.kill(victim ?? 0, "SIGKILL");
      await watch.until('outrigger_worker_restarts_total{reason="killed"}', kills);
      // The log tells which workers live; it may lag behind the metrics.
      await service.program.line((line) => line.msg === "worker exited" && line["pid"] === victim);
    }
    for (const name of ["process_cpu_seconds_total", "process_cpu_user_seconds_total", REQUESTS])
      assert.ok(watch.has(name), `${name} was watched`);
  });

  it("never fall while workers are replaced", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
    keepBusy(t, service);
    const watch = await CounterWatch.begin(service);
    for (let reloads = 1; reloads <= 3; reloads += 1) {
      for (let samples = 0; samples < 5; samples += 1) await watch.sample();
      service.program.signal("SIGHUP");
      await watch.until('outrigger_worker_restarts_total{reason="reload"}', 2 * reloads);
      const exited = (): boolean =>
        service.program.lines.filter(({ msg }) => msg === "worker exited").length === 2 * reloads;
      await eventually(
        DEADLINE_MS,
        async () => {
          await watch.sample();
          return exited() || undefined;
        },
        "the predecessors to leave",
      );
    }
  });

  it("equal what clients saw", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
    const wanted = [
      { path: "/", method: "GET", status: "2xx", count: 40 },
      { path: "/missing", method: "GET", status: "4xx", count: 20 },
      { path: "/throw", method: "GET", status: "5xx", count: 10 },
      { path: "/echo", method: "POST", status: "2xx", count: 30 },
      { path: "/", method: "PROPFIND", status: "2xx", count: 5 },
    ] as const;
    for (const { path, method, count } of wanted) {
      const body = method === "POST" ? { body: "x" } : {};
      await Promise.all(
        Array.from({ length: count }, () => service.request({ path, method, ...body })),
      );
    }
    const metrics = await eventually(
      DEADLINE_MS,
      async () => {
        const scraped = await service.metrics();
        return scraped.sum(REQUESTS) === 105 ? scraped : undefined;
      },
      "105 requests to be counted",
    );
    for (const { method, status, count } of wanted) {
      const labels = { method: method === "PROPFIND" ? "_OTHER" : method, status };
      assert.equal(metrics.sum(REQUESTS, labels), count, `${method} ${status}`);
    }
    assert.equal(metrics.value(ACCEPTED), 105);
    assert.equal(metrics.sum(CLOSED), 105);
    assert.equal(metrics.value("outrigger_endpoint_requests_in_flight"), 0);
  });

  it("keep what a worker counted until it was killed", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    for (let kills = 1; kills <= 3; kills += 1) {
      const stream = await serveAndStream(t, service);
      const [victim = 0] = service.program.workerPids();
      process.kill(victim, "SIGKILL");
      await stream.ended();
      await service.program.line((line) => line.msg === "worker exited" && line["pid"] === victim);
      const metrics = await service.metrics();
      assert.deepEqual(countsOf(metrics), { gets: 20 * kills, posts: 5 * kills, inFlight: 0 });
      assert.equal(metrics.value(ACCEPTED), 26 * kills);
      assert.equal(metrics.sum(CLOSED, { reason: "worker_lost" }), kills);
      assert.equal(metrics.value(OPEN), 0);
      await eventually(
        DEADLINE_MS,
        () => service.program.workerPids().some((pid) => pid !== victim) || undefined,
        "the next worker",
      );
    }
  });

  it("are exact while a worker is frozen, and the scrape hardly waits", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    await serveAndStream(t, service);
    const [frozen = 0] = service.program.workerPids();
    process.kill(frozen, "SIGSTOP");
    onEnd(t, () => process.kill(frozen, "SIGCONT"));
    const metrics = await scrape(service.opsPort);
    assert.equal(metrics.value("outrigger_metrics_workers_missing"), 1);
    assert.deepEqual(countsOf(metrics), { gets: 20, posts: 5, inFlight: 1 });
    assert.equal(metrics.value(ACCEPTED), 26);
  });

  it("are complete in the last scrape before the program ends", async (t) => {
    // The hook leaves time for a scrape between the last request and the end.
    const env = { SHUTDOWN_MS: "500" };
    const service = await serveApp(t, "draining.mjs", { args: ["--workers", "2"], env });
    const answers = Array.from({ length: 20 }, () => service.request({ path: "/wait?ms=500" }));
    await accepted(service.dir, 20);
    service.program.signal("SIGTERM");
    let last: Metrics | undefined;
    const scrapes = (async () => {
      for (;;) last = await service.metrics();
    })();
    await assert.rejects(scrapes);
    for (const answer of answers) assert.equal((await answer).status, 200);
    assert.equal(last?.sum(REQUESTS), 20);
    assert.equal(last?.value(ACCEPTED), 20);
    assert.equal(last?.sum(CLOSED), 20);
    assert.equal(last?.value(OPEN), 0);
    assert.deepEqual(await service.program.exit(), STOPPED);
  });
});

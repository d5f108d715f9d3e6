import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { METHODS } from "node:http";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { eventually, within } from "../helpers/deadline.ts";
import { kernelRows } from "../helpers/kernel.ts";
import type { Metrics } from "../helpers/metrics.ts";
import { needs } from "../helpers/needs.ts";
import { request } from "../helpers/http.ts";
import { portOf } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { keepAliveAgent } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { METHODS as COUNTED } from "../../src/request-durations.ts";
import { findTool } from "../tools.ts";

const DEADLINE_MS = 15_000;
const COUNTED_METHODS: ReadonlySet<string> = new Set(COUNTED);
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OPEN = "outrigger_endpoint_connections";
const ACCEPTED = "outrigger_endpoint_connections_accepted_total";
const CLOSED = "outrigger_endpoint_connections_closed_total";
const REJECTED = "outrigger_endpoint_connections_rejected_total";
const REQUESTS = "http_server_request_duration_seconds_count";

/** Accepted connections as the kernel has them: it shows the name the socket was bound under, not the public one. */
async function createKernelCount({ dir, socketPath }: Serving): Promise<() => Promise<number>> {
  const names = (await readdir(dir)).map((name) => join(dir, name));
  const bound = names.filter((name) => name !== socketPath);
  assert.equal(bound.length, 1, "one private name beside the public one");
  return async () => (await kernelRows(bound[0] ?? "")).accepted;
}

/** A scrape during which the kernel's count did not change, and that count. */
async function steadyScrape(
  service: Serving,
  count: () => Promise<number>,
): Promise<{ metrics: Metrics; connections: number }> {
  return await eventually(
    DEADLINE_MS,
    async () => {
      const before = await count();
      const metrics = await service.metrics();
      const after = await count();
      return before === after ? { metrics, connections: after } : undefined;
    },
    "a scrape while no connection came or went",
  );
}

async function openClients(t: TestContext, path: string, count: number): Promise<RawClient[]> {
  return await Promise.all(Array.from({ length: count }, () => RawClient.open(t, { path })));
}

function assertBalanced(metrics: Metrics, endpoint: string): void {
  const accepted = metrics.value(ACCEPTED, { endpoint });
  const closed = metrics.sum(CLOSED, { endpoint });
  const open = metrics.value(OPEN, { endpoint }) ?? Number.NaN;
  assert.equal(
    accepted,
    closed + open,
    `${endpoint}: ${accepted} accepted, ${closed} closed, ${open} open`,
  );
}

describe("/metrics", () => {
  it("passes promtool check metrics", needs("promtool"), async (t) => {
    const service = await serveApp(t, "hello.mjs");
    await service.request({ path: "/" });
    await service.request({ path: "/upload", body: "x" });
    const { text } = await service.metrics();
    const check = spawnSync(findTool("promtool") ?? "", ["check", "metrics"], {
      input: text,
      encoding: "utf8",
    });
    assert.deepEqual([check.status, check.stdout, check.stderr], [0, "", ""]);
  });

  for (const [accept, type] of [
    [
      "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
      "application/openmetrics-text",
    ],
    ["text/plain;version=0.0.4", "text/plain"],
    ["*/*", "text/plain"],
  ] as const) {
    it(`speaks ${type} to "${accept}"`, async (t) => {
      const service = await serveApp(t, "hello.mjs");
      const { headers, text } = await service.ops("/metrics", { headers: { accept } });
      assert.match(headers["content-type"] ?? "", new RegExp(`^${type};`));
      assert.equal(text().endsWith("# EOF\n"), type.includes("openmetrics"));
    });
  }

  it("is compressed only for those who ask", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const zipped = await service.ops("/metrics", { headers: { "accept-encoding": "gzip" } });
    assert.equal(zipped.headers["content-encoding"], "gzip");
    assert.match(gunzipSync(zipped.body).toString(), /^outrigger_build_info\{/m);
    assert.equal((await service.ops("/metrics")).headers["content-encoding"], undefined);
  });
});

describe("the connection gauge", () => {
  it("equals the kernel's rows at every sample of a churn, and is 0 afterwards", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
    const count = await createKernelCount(service);
    const clients: RawClient[] = [];
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 40; round += 1) {
      // Only openings or only closings at a time: a count that is the same before and after a scrape was so
      // in between as well.
      const isGrowing = clients.length < 5 || (clients.length < 60 && random(2) === 0);
      const change: Promise<unknown> = isGrowing
        ? openClients(t, service.socketPath, 1 + random(12)).then((opened) => {
            for (const client of opened) clients.push(client);
            for (const client of opened) if (random(2) === 0) client.send(GET);
          })
        : Promise.all(
            clients.splice(0, 1 + random(clients.length)).map((client) => client.close()),
          );
      const { metrics, connections } = await steadyScrape(service, count);
      assert.equal(metrics.value(OPEN, { endpoint: "app" }), connections, `round ${round}`);
      await within(DEADLINE_MS, change, "the clients of a round");
      await eventually(
        DEADLINE_MS,
        async () => (await count()) === clients.length || undefined,
        `${clients.length} connections`,
      );
      const settled = await eventually(
        DEADLINE_MS,
        async () => {
          const scraped = await service.metrics();
          // A worker counts what it accepted when its turn comes, a moment after the kernel.
          return scraped.value(ACCEPTED) === scraped.sum(CLOSED) + clients.length
            ? scraped
            : undefined;
        },
        "the workers to have counted the round",
      );
      assert.equal(settled.value(OPEN, { endpoint: "app" }), clients.length);
      assertBalanced(settled, "app");
    }
    await Promise.all(clients.map((client) => client.close()));
    await eventually(DEADLINE_MS, async () => (await count()) === 0 || undefined, "the end");
    assert.equal((await steadyScrape(service, count)).metrics.value(OPEN), 0);
  });

  it("is 0 after resets, upgrades and a killed worker", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const count = await createKernelCount(service);
    const [reset, upgraded, ...others] = await openClients(t, service.socketPath, 5);
    upgraded?.send(
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    await upgraded?.until(/^HTTP\/1.1 101 /);
    assert.equal((await steadyScrape(service, count)).metrics.value(OPEN), 5);
    reset?.send("GET /download?bytes=50000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    await reset?.until(/^HTTP\/1.1 200 /);
    await reset?.close();
    await upgraded?.close();
    await eventually(DEADLINE_MS, async () => (await count()) === 3 || undefined, "3 connections");
    assert.equal((await steadyScrape(service, count)).metrics.value(OPEN), 3);
    for (const pid of service.program.workerPids()) process.kill(pid, "SIGKILL");
    for (const client of others) await client.ended();
    const { metrics } = await steadyScrape(service, count);
    assert.equal(metrics.value(OPEN), 0);
    assertBalanced(metrics, "app");
  });
});

describe("two endpoints", () => {
  it("are counted apart", async (t) => {
    const path = join(await tempDir(t), "private.sock");
    const service = await serveApp(t, "hello.mjs", {
      args: ["--listen", `${path}?name=private`, "--listen", "127.0.0.1:0?name=public"],
    });
    const port = portOf(await service.program.address("public"));
    const clients = await openClients(t, path, 3);
    for (const client of clients) await client.send(GET).until(/hello\n/);
    const agent = keepAliveAgent(t);
    for (const body of ["a", "b"]) await request({ port, path: "/echo", body, agent });
    await request({ port, path: "/" });
    const metrics = await eventually(
      DEADLINE_MS,
      async () => {
        const scraped = await service.metrics();
        return scraped.sum(CLOSED, { endpoint: "public" }) === 1 ? scraped : undefined;
      },
      "the end of the one closed connection",
    );
    const read = (endpoint: string): unknown => ({
      open: metrics.value(OPEN, { endpoint }),
      accepted: metrics.value(ACCEPTED, { endpoint }),
      gets: metrics.sum(REQUESTS, { endpoint, method: "GET" }),
      posts: metrics.sum(REQUESTS, { endpoint, method: "POST" }),
    });
    assert.deepEqual(read("private"), { open: 3, accepted: 3, gets: 3, posts: 0 });
    assert.deepEqual(read("public"), { open: 1, accepted: 2, gets: 1, posts: 2 });
    assertBalanced(metrics, "private");
    assertBalanced(metrics, "public");
    assert.equal(metrics.value("outrigger_endpoint_accept_queue", { endpoint: "private" }), 0);
    assert.equal(
      metrics.value("outrigger_endpoint_accept_queue", { endpoint: "public" }),
      undefined,
    );
  });
});

describe("labels", () => {
  const CLIENTS = 16;

  /** Does something so many times, a few at a time. */
  async function times(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
    const indices = Array.from({ length: count }, (_, index) => index).values();
    const clients = Array.from({ length: CLIENTS }, async () => {
      for (const index of indices) await act(index);
    });
    await Promise.all(clients);
  }

  it("do not grow with 10,000 paths, hosts, agents and methods of their own", async (t) => {
    const args = ["--access-log", "off"];
    const service = await serveApp(t, "hello.mjs", { args });
    const methods = METHODS.filter(
      (method) => !COUNTED_METHODS.has(method) && method !== "CONNECT",
    );
    const agent = keepAliveAgent(t);
    const curious = async (index: number): Promise<void> => {
      const headers = {
        host: `host-${index}.example`,
        "user-agent": `agent-${index}`,
        "x-forwarded-for": `10.${index >> 8}.${index & 255}.1`,
        "x-forwarded-host": `host-${index}.example`,
      };
      const path = `/path-${index}?query=${index}`;
      const method = methods[index % methods.length] ?? "";
      const { status } = await service.request({ method, path, headers, agent });
      assert.equal(status, 404);
    };
    const strange = async (index: number): Promise<void> => {
      const stranger = await RawClient.open(t, { path: service.socketPath });
      await stranger
        .send(`BREW-${index} /tea-${index} HTTP/1.1\r\nHost: h${index}\r\n\r\n`)
        .ended();
      assert.match(stranger.received, /^HTTP\/1.1 400 /);
      await stranger.close();
    };
    const counted = (): Promise<Metrics> => service.metrics();
    const seriesOf = (metrics: Metrics): string[] => [...metrics.toMap().keys()].toSorted();
    const seen = async (requests: number, strangers: number): Promise<Metrics> =>
      await eventually(
        DEADLINE_MS,
        async () => {
          const metrics = await counted();
          const isAll =
            metrics.sum(REQUESTS, { method: "_OTHER", status: "4xx" }) === requests &&
            metrics.value(REJECTED, { reason: "bad_request" }) === strangers;
          return isAll ? metrics : undefined;
        },
        `${requests} requests and ${strangers} that are none`,
      );
    await curious(0);
    await strange(0);
    const before = await seen(1, 1);
    await times(10_000, curious);
    await times(10_000, strange);
    const after = await seen(10_001, 10_001);
    assert.deepEqual(seriesOf(after), seriesOf(before));
    assert.doesNotMatch(after.text, /path-|host-|agent-|tea-|BREW/);
  });
});

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { errnoOf } from "../../src/errors.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { readResponse, request, stream, type Response } from "../helpers/http.ts";
import { kernelRowsIn } from "../helpers/kernel.ts";
import { portOf, type Program } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { serveApp } from "../helpers/serving.ts";
import {
  accepted,
  assertGone,
  exitTimeMs,
  keepAliveAgent,
  queued,
  STOPPED,
} from "../helpers/stopping.ts";

const DEADLINE_MS = 15_000;

describe("a TCP endpoint that drains", () => {
  it("refuses who comes too late, instead of leaving them in a queue nobody serves", async (t) => {
    const service = await serveApp(t, "draining.mjs", { args: ["--listen", "127.0.0.1:0"] });
    const port = portOf(await service.program.address());
    const answer = request({ port, path: "/wait?ms=3000" });
    const inFlight = async (): Promise<true | undefined> =>
      (await service.sum("outrigger_endpoint_requests_in_flight")) === 1 || undefined;
    await eventually(DEADLINE_MS, inFlight, "the request to be in flight");
    service.program.signal("SIGTERM");
    await service.program.line("endpoints withdrawn");
    const refused = async (): Promise<true | undefined> => {
      const late = request({ port, path: "/" });
      return await late.then(
        () => undefined,
        (error: unknown) => errnoOf(error) === "ECONNREFUSED" || undefined,
      );
    };
    await eventually(2_000, refused, "a late connection to be refused");
    assert.equal((await answer).status, 200);
    assert.deepEqual(await service.program.exit(), STOPPED);
  });
});

describe("--drain-delay", () => {
  it("accepts as before while readiness already fails", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--drain-delay", "1s"] });
    const agent = keepAliveAgent(t);
    const startMs = performance.now();
    service.program.signal("SIGTERM");
    await service.program.line("draining");
    for (const [path, expected] of [
      ["/readyz", 503],
      ["/healthz", 503],
      ["/livez", 200],
      ["/startupz", 200],
    ] as const) {
      assert.equal((await service.ops(path)).status, expected, path);
    }
    const { status, headers } = await service.request({ path: "/", agent });
    assert.deepEqual([status, headers.connection], [200, "keep-alive"]);
    assert.ok(existsSync(service.socketPath));
    await service.program.line("announcing close");
    const announcedMs = performance.now() - startMs;
    assert.ok(announcedMs >= 950, `announced after ${Math.round(announcedMs)} ms`);
    // The line is written a moment before the worker hears of it; the connection lives until it did.
    let answer = await service.request({ path: "/", agent });
    while (answer.headers.connection !== "close")
      answer = await service.request({ path: "/", agent });
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("is cut short by a second signal", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--drain-delay", "20s"] });
    service.program.signal("SIGTERM");
    await service.program.line("draining");
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), STOPPED);
    await assertGone(service);
  });
});

describe("the order of a drain", () => {
  it("takes the name away while the listener still accepts", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    // Whoever is blocked cannot tell that its queue is empty.
    const answer = service.request({ path: "/block?ms=1500" });
    await service.program.line(({ app }) => app === "blocking");
    service.program.signal("SIGTERM");
    await service.program.line("endpoints withdrawn");
    assert.equal(existsSync(service.socketPath), false);
    assert.equal((await kernelRowsIn(service.dir)).listening, 1);
    assert.equal((await answer).status, 200);
    assert.deepEqual(await service.program.exit(), STOPPED);
    await assertGone(service);
  });

  it("answers connections that queue while the only worker is busy", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    const blocking = service.request({ path: "/block?ms=1500" });
    await service.program.line(({ app }) => app === "blocking");
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => RawClient.open(t, { path: service.socketPath })),
    );
    for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await queued(service.dir, 20);
    service.program.signal("SIGTERM");
    for (const client of clients)
      assert.match(await client.until(/done\n/), /^HTTP\/1.1 200 OK\r\n/);
    assert.equal((await blocking).status, 200);
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("loses no request of clients that keep their connection busy", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
    const warm = Promise.withResolvers<void>();
    let answers = 0;
    const clients = Array.from({ length: 8 }, async (_, index) => {
      const agent = keepAliveAgent(t);
      for (;;) {
        try {
          const body = `${index}:${answers}`;
          const answer = await service.request({ path: "/echo", agent, body });
          assert.deepEqual([answer.status, answer.text()], [200, body]);
        } catch (error) {
          // The name is gone, so nothing was sent: the one way a client may end.
          return errnoOf(error) ?? error;
        }
        answers += 1;
        if (answers === 200) warm.resolve();
      }
    });
    await within(DEADLINE_MS, warm.promise, "busy connections");
    service.program.signal("SIGTERM");
    const ends = await within(DEADLINE_MS, Promise.all(clients), "every client to end");
    assert.deepEqual(
      ends,
      Array.from({ length: 8 }, () => "ENOENT"),
    );
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("does not wait for a connection that is kept alive after a response that had begun", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    const agent = keepAliveAgent(t);
    const { socketPath } = service;
    const response = await stream({ socketPath, path: "/late-body?ms=1500", agent });
    assert.equal(response.headers.connection, "keep-alive");
    service.program.signal("SIGTERM");
    assert.equal((await readResponse(response)).text(), "late\n");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("sends the whole of a response that was handed over before", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    const bytes = 5_000_000;
    const { socketPath } = service;
    const agent = keepAliveAgent(t);
    const response = await stream({ socketPath, path: `/big?bytes=${bytes}`, agent });
    await service.program.line(({ app }) => app === "big handed over");
    service.program.signal("SIGTERM");
    await service.program.line("endpoints withdrawn");
    // From here the worker drains; nobody tells when its step is done, so a slow reader it is.
    const { body } = await readSlowly(response);
    assert.equal(body.length, bytes);
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("closes idle connections instead of waiting for them", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const agent = keepAliveAgent(t);
    await service.request({ path: "/", agent });
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs < 1_500, `took ${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("closes connections that never said a word", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const silent = await RawClient.open(t, { path: service.socketPath });
    service.program.signal("SIGTERM");
    assert.equal(await silent.ended(), "");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("keeps /livez and /metrics answering until the workers are gone", async (t) => {
    const service = await serveApp(t, "draining.mjs", { env: { SHUTDOWN_MS: "500" } });
    const answer = service.request({ path: "/wait?ms=1200" });
    await eventually(
      DEADLINE_MS,
      async () =>
        (await service.metrics()).value("outrigger_endpoint_requests_in_flight") === 1 || undefined,
      "the request to be in flight",
    );
    service.program.signal("SIGTERM");
    await service.program.line("draining");
    let last = await service.metrics();
    for (;;) {
      assert.equal(last.value("outrigger_state", { state: "draining" }), 1);
      try {
        assert.equal((await service.ops("/livez")).status, 200);
        last = await service.metrics();
      } catch (error) {
        // Reset: it waited in the queue of the listener that was closed.
        assert.match(errnoOf(error) ?? "", /^ECONN(REFUSED|RESET)$/);
        break;
      }
    }
    assert.equal(last.value("outrigger_endpoint_connections"), 0);
    assert.equal(last.sum("http_server_request_duration_seconds_count"), 1);
    assert.equal((await answer).text(), "done\n");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs < 500, `the ops endpoint closed ${tookMs} ms before the end`);
  });
});

/** Reads a response in small steps, so that for a while much of it is still with its sender. */
async function readSlowly(response: IncomingMessage): Promise<Response> {
  response.pause();
  await delay(1_500);
  return await readResponse(response);
}

/** Counts how often the app of `draining.mjs` said something. */
function timesSaid({ lines }: Program, what: string): number {
  return lines.filter(({ app }) => app === what).length;
}

describe("the shutdown hook", () => {
  it("runs after the last request", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    const answer = service.request({ path: "/wait?ms=800" });
    await accepted(service.dir, 1);
    service.program.signal("SIGTERM");
    assert.equal((await answer).text(), "done\n");
    assert.deepEqual(await service.program.exit(), STOPPED);
    const said = service.program.lines.flatMap(({ app, msg }) => (msg === undefined ? [app] : []));
    assert.deepEqual(said, ["ended /wait", "shutdown", "shutdown done"]);
  });

  it("may take its time within the grace period", async (t) => {
    const service = await serveApp(t, "draining.mjs", { env: { SHUTDOWN_MS: "700" } });
    service.program.signal("SIGTERM");
    assert.deepEqual(await service.program.exit(), STOPPED);
    assert.equal(timesSaid(service.program, "shutdown done"), 1);
  });

  it("is given up at the end of the grace period", async (t) => {
    const service = await serveApp(t, "draining.mjs", {
      args: ["--grace-period", "1s"],
      env: { SHUTDOWN_MS: "never" },
    });
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs >= 900 && tookMs <= 2_000, `took ${tookMs} ms`);
    await service.program.line("app shutdown did not end in time");
    assert.equal(timesSaid(service.program, "shutdown"), 1);
    await assertGone(service);
  });
});

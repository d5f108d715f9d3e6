import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually, within } from "../helpers/deadline.ts";
import { openRequest, readResponse, stream } from "../helpers/http.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { portOf } from "../helpers/program.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { accepted, STOPPED } from "../helpers/stopping.ts";

const DEADLINE_MS = 15_000;
const MEGABYTE = 1024 * 1024;
const BIG_BYTES = 50 * MEGABYTE;
/** What sockets and streams on the way may hold: some buffers, never the whole of it. */
const BUFFERED_BYTES = 5 * MEGABYTE;
/** How long a count has to stand still to be taken for blocked. */
const STILL_MS = 100;

const FLOWS = { "(req, res)": "flow.mjs", "{ fetch }": "flow-fetch.mjs" };

interface FlowState {
  readonly produced: number;
  readonly consumed: number;
  readonly finished: number;
  readonly rss: number;
}

async function stateOf(serving: Serving): Promise<FlowState> {
  return (await serving.request({ path: "/state" })).json() as FlowState;
}

function release(serving: Serving): Promise<unknown> {
  return serving.request({ method: "POST", path: "/release" });
}

/** Resolves with a count, above zero, that does not grow any more. */
async function untilStill(read: () => number | Promise<number>): Promise<number> {
  let last = 0;
  const look = async (): Promise<number | undefined> => {
    const before = last;
    last = await read();
    if (last === 0 || last !== before) return undefined;
    await delay(STILL_MS);
    return (await read()) === last ? last : undefined;
  };
  return await eventually(DEADLINE_MS, look, "the flow to stand still");
}

function blocks(count: { bytes: number }): Readable {
  const block = Buffer.alloc(64 * 1024, "x");
  function* produce(): Generator<Buffer> {
    while (count.bytes < BIG_BYTES) {
      count.bytes += block.length;
      yield block;
    }
  }
  return Readable.from(produce(), { objectMode: false });
}

function openRaw(scope: Scope, { socketPath }: Serving): Promise<RawClient> {
  return RawClient.open(scope, { path: socketPath });
}

function head(line: string, ...headers: string[]): string {
  return [`${line} HTTP/1.1`, "Host: test", ...headers, "", ""].join("\r\n");
}

/** Sends a byte now and then for as long as that is possible. */
function trickle(scope: Scope, client: RawClient): void {
  const timer = setInterval(() => client.socket.writable && client.send("x"), 100);
  onEnd(scope, () => clearInterval(timer));
}

function rejected(serving: Serving, reason: string): Promise<number> {
  return serving.sum("outrigger_endpoint_connections_rejected_total", { reason });
}

function requests(serving: Serving, labels: Record<string, string>): Promise<number> {
  return serving.sum("http_server_request_duration_seconds_count", labels);
}

describe("flow control", () => {
  for (const [kind, app] of Object.entries(FLOWS)) {
    it(`holds a ${kind} app back while its client does not read`, async (t) => {
      const serving = await serveApp(t, app);
      const before = await stateOf(serving);
      const response = await stream({
        socketPath: serving.socketPath,
        path: `/download?bytes=${BIG_BYTES}`,
      });
      const held = await untilStill(async () => (await stateOf(serving)).produced);
      assert.ok(held < BUFFERED_BYTES, `${held} bytes were produced for a client that read none`);
      const { rss } = await stateOf(serving);
      assert.ok(rss - before.rss < 30 * MEGABYTE, `the worker grew by ${rss - before.rss} bytes`);
      const { body } = await within(DEADLINE_MS, readResponse(response), "the download");
      assert.equal(body.length, BIG_BYTES);
    });

    it(`holds a client back while a ${kind} app does not read`, async (t) => {
      const serving = await serveApp(t, app);
      const { request, response } = openRequest({
        socketPath: serving.socketPath,
        method: "POST",
        path: "/held-upload",
      });
      const sent = { bytes: 0 };
      const upload = pipeline(blocks(sent), request);
      const held = await untilStill(() => sent.bytes);
      assert.ok(held < BUFFERED_BYTES, `${held} bytes were taken from the client`);
      await release(serving);
      await within(DEADLINE_MS, upload, "the upload");
      const answer = await within(DEADLINE_MS, response.then(readResponse), "the answer");
      const sha256 = createHash("sha256").update(Buffer.alloc(BIG_BYTES, "x")).digest("hex");
      assert.deepEqual(answer.json(), { bytes: BIG_BYTES, sha256 });
    });

    it(`sends what a ${kind} app writes at once`, async (t) => {
      const serving = await serveApp(t, app);
      const response = await stream({ socketPath: serving.socketPath, path: "/steps?count=3" });
      response.setEncoding("utf8");
      for (const step of [1, 2, 3]) {
        const [chunk] = await within(DEADLINE_MS, once(response, "data"), `step ${step}`);
        assert.equal(chunk, `step ${step}\n`);
        await release(serving);
      }
      await within(DEADLINE_MS, once(response, "end"), "the end");
    });

    it(`keeps the connection when a ${kind} app ignores a body`, async (t) => {
      const serving = await serveApp(t, app);
      const client = await openRaw(t, serving);
      const body = "x".repeat(2 * MEGABYTE);
      client.send(head("POST /ignored-upload", `Content-Length: ${body.length}`) + body);
      await client.until(/not read\n/);
      client.send(head("GET /nothing"));
      assert.match(await client.until(/HTTP\/1\.1 204/), /^HTTP\/1\.1 200 OK/);
    });

    it(`sends no body with HEAD, 204 and 304 of a ${kind} app`, async (t) => {
      const serving = await serveApp(t, app);
      const client = await openRaw(t, serving);
      client.send(head("HEAD /head") + head("GET /nothing") + head("GET /unchanged"));
      client.send(head("GET /head", "Connection: close"));
      const answers = (await client.ended()).split(/(?=HTTP\/1\.1 )/);
      assert.deepEqual(
        answers.map((answer) => answer.slice(9, 12)),
        ["200", "204", "304", "200"],
      );
      const [headAnswer = "", noContent = "", notModified = "", full = ""] = answers;
      assert.match(headAnswer, /content-length: 4\r\n/i);
      assert.match(notModified, /etag: "1"\r\n/i);
      for (const answer of [headAnswer, noContent, notModified]) assert.match(answer, /\r\n\r\n$/);
      for (const answer of [noContent, notModified])
        assert.doesNotMatch(answer, /content-length|transfer-encoding/i);
      assert.match(full, /body/);
    });

    it(`counts a client that leaves a ${kind} app early as 4xx`, async (t) => {
      const serving = await serveApp(t, app);
      const response = await stream({ socketPath: serving.socketPath, path: "/endless" });
      await within(DEADLINE_MS, once(response, "data"), "the first chunk");
      const inFlight = "outrigger_endpoint_requests_in_flight";
      assert.equal(await serving.sum(inFlight), 1);
      response.destroy();
      // The app is told: the response closes, or the signal of the request aborts.
      await eventually(
        DEADLINE_MS,
        async () => (await stateOf(serving)).finished || undefined,
        "the app to hear of it",
      );
      assert.equal(await serving.sum(inFlight), 0);
      assert.equal(await requests(serving, { status: "4xx" }), 1);
      const line = await serving.program.line(({ path }) => path === "/endless");
      assert.equal(line["status"], 499);
    });
  }

  it("counts every request of a client that leaves while several wait for their answers", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await openRaw(t, serving);
    client.send(head("GET /hang") + head("GET /hang"));
    const inFlight = (): Promise<number> => serving.sum("outrigger_endpoint_requests_in_flight");
    await eventually(
      DEADLINE_MS,
      async () => (await inFlight()) === 2 || undefined,
      "two requests",
    );
    client.socket.destroy();
    await eventually(DEADLINE_MS, async () => (await inFlight()) === 0 || undefined, "their ends");
    assert.equal(await requests(serving, { status: "4xx" }), 2);
  });

  it("does not blame the app for a client that leaves a download", async (t) => {
    const serving = await serveApp(t, "flow.mjs");
    const path = `/download?bytes=${BIG_BYTES}`;
    const response = await stream({ socketPath: serving.socketPath, path });
    await within(DEADLINE_MS, once(response, "data"), "the first chunk");
    response.destroy();
    await serving.program.line(({ msg, path: logged }) => msg === "request" && logged === path);
    serving.program.signal("SIGTERM");
    await serving.program.exit();
    assert.doesNotMatch(serving.program.stdout, /app failed a request/);
  });
});

describe("an upload that its client gives up", () => {
  for (const [kind, app] of Object.entries(FLOWS)) {
    it(`is not blamed on a ${kind} app`, async (t) => {
      const serving = await serveApp(t, app);
      const client = await openRaw(t, serving);
      client.send(`${head("POST /held-upload", "Content-Length: 1000000")}begun`);
      const inFlight = async (): Promise<true | undefined> =>
        (await serving.sum("outrigger_endpoint_requests_in_flight")) === 1 ? true : undefined;
      await eventually(DEADLINE_MS, inFlight, "the upload to begin");
      await release(serving);
      await client.close();
      const line = await serving.program.line(({ path }) => path === "/held-upload");
      assert.deepEqual([line.msg, line["status"]], ["request", 499]);
      serving.program.signal("SIGTERM");
      assert.deepEqual(await serving.program.exit(), { code: 0, signal: null });
      assert.doesNotMatch(serving.program.stdout, /app failed a request|worker crashed/);
    });
  }
});

describe("Expect: 100-continue", () => {
  it("is answered before the body is sent", async (t) => {
    const client = await openRaw(t, await serveApp(t, "hello.mjs"));
    client.send(
      head("POST /upload", "Content-Length: 4", "Expect: 100-continue", "Connection: close"),
    );
    assert.equal(await client.until(/\r\n\r\n/), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    assert.match(await client.ended(), /\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*"bytes":4/);
  });

  it("is refused with 417 for anything but 100-continue, and counted", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await openRaw(t, serving);
    client.send(head("POST /upload", "Content-Length: 4", "Expect: a-miracle"));
    const answer = await client.ended();
    assert.match(answer, /^HTTP\/1\.1 417 Expectation Failed\r\n[^]*Connection: close\r\n/);
    assert.equal(await rejected(serving, "bad_request"), 1);
    assert.equal(await requests(serving, {}), 0);
  });
});

describe("what is no request", () => {
  it("is answered 400 and counted", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await openRaw(t, serving);
    client.send("THIS IS NOT HTTP\r\n\r\n");
    assert.match(await client.ended(), /^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n/);
    assert.equal(await rejected(serving, "bad_request"), 1);
    assert.equal(await requests(serving, {}), 0);
  });

  it("is answered 400 when two lengths contradict each other", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await openRaw(t, serving);
    client.send(head("POST /echo", "Content-Length: 4", "Transfer-Encoding: chunked"));
    assert.match(await client.ended(), /^HTTP\/1\.1 400 /);
    assert.equal(await rejected(serving, "bad_request"), 1);
  });

  it("is answered 400 without a Host", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await openRaw(t, serving);
    client.send("GET / HTTP/1.1\r\n\r\n");
    const answer = await client.ended();
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n[^]*Connection: close\r\n/);
    assert.equal(await rejected(serving, "bad_request"), 1);
    assert.equal(await requests(serving, {}), 0);
  });

  it("is a request without a Host in HTTP/1.0", async (t) => {
    const client = await openRaw(t, await serveApp(t, "hello.mjs"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert.match(await client.ended(), /^HTTP\/1\.1 200 /);
  });

  it("is answered 431 when its headers are too large", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await openRaw(t, serving);
    client.send(head("GET /", `X-Big: ${"x".repeat(20_000)}`));
    assert.match(await client.ended(), /^HTTP\/1\.1 431 /);
    assert.equal(await rejected(serving, "headers_too_large"), 1);
  });

  it("is answered 408 when its headers take too long", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--headers-timeout", "500ms"] });
    const client = await openRaw(t, serving);
    client.send("GET / HTTP/1.1\r\nHost: te");
    assert.match(await client.ended(), /^HTTP\/1\.1 408 /);
    assert.equal(await rejected(serving, "request_timeout"), 1);
  });

  it("is answered 408 when its body takes too long", async (t) => {
    const serving = await serveApp(t, "flow.mjs", { args: ["--request-timeout", "500ms"] });
    const client = await openRaw(t, serving);
    client.send(head("POST /held-upload", "Content-Length: 100"));
    assert.match(await client.ended(), /^HTTP\/1\.1 408 /);
    assert.equal(await rejected(serving, "request_timeout"), 1);
  });

  it("still reads its answer over TCP when it goes on sending", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--listen", "127.0.0.1:0"] });
    const port = portOf(await serving.program.address());
    const client = await RawClient.open(t, { host: "127.0.0.1", port });
    client.send(head("GET /", `X-Big: ${"x".repeat(MEGABYTE)}`));
    assert.match(await client.ended(), /^HTTP\/1\.1 431 /);
    assert.equal(await rejected(serving, "headers_too_large"), 1);
  });

  for (const [how, isSending] of [
    ["saying nothing", false],
    ["sending on", true],
  ] as const) {
    it(`cannot keep its connection by ${how}`, async (t) => {
      const serving = await serveApp(t, "hello.mjs");
      const client = await openRaw(t, serving);
      client.send("THIS IS NOT HTTP\r\n\r\n");
      await client.ended();
      if (isSending) trickle(t, client);
      const open = (): Promise<number> => serving.sum("outrigger_endpoint_connections");
      const isCut = async (): Promise<true | undefined> =>
        (await open()) === 0 ? true : undefined;
      assert.equal(await open(), 1);
      await eventually(5_000, isCut, "the server to cut the connection");
      assert.equal(await rejected(serving, "bad_request"), 1);
    });
  }
});

describe("--max-connections", () => {
  it("answers 503 with Retry-After above the limit, and counts it", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--max-connections", "2"] });
    const clients = [await openRaw(t, serving), await openRaw(t, serving)];
    for (const client of clients) await client.send(head("GET /")).until(/hello\n$/);
    const refused = await openRaw(t, serving);
    const answer = await refused.ended();
    assert.match(answer, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    assert.match(answer, /\r\nRetry-After: \d+\r\n/);
    // It has said nothing, so for a moment it might be our own check.
    const counted = async (): Promise<true | undefined> =>
      (await rejected(serving, "max_connections")) === 1 || undefined;
    await eventually(DEADLINE_MS, counted, "the rejection to be counted");
    assert.equal(await serving.sum("outrigger_endpoint_connections_accepted_total"), 2);
    for (const client of clients) await client.send(head("GET /")).until(/hello\n[^]*hello\n$/);
  });

  it("lets our own check know that the accept queue is empty, and does not count it", async (t) => {
    const serving = await serveApp(t, "draining.mjs", {
      args: ["--max-connections", "1"],
      env: { SHUTDOWN_MS: "500" },
    });
    const answer = serving.request({ path: "/wait?ms=600" });
    await accepted(serving.dir, 1);
    serving.program.signal("SIGTERM");
    await serving.program.line("endpoints withdrawn");
    assert.equal((await answer).status, 200);
    assert.equal(await rejected(serving, "max_connections"), 0);
    assert.equal(await serving.sum("outrigger_endpoint_connections_accepted_total"), 1);
    assert.deepEqual(await serving.program.exit(), STOPPED);
    assert.deepEqual(
      serving.program.lines.filter(({ level = 0 }) => level >= 40),
      [],
    );
  });

  it("takes the next one once a connection has closed", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--max-connections", "1"] });
    const first = await openRaw(t, serving);
    await first.send(head("GET /")).until(/hello\n$/);
    await first.close();
    const closed = (): Promise<number> =>
      serving.sum("outrigger_endpoint_connections_closed_total", { reason: "client" });
    await eventually(DEADLINE_MS, async () => (await closed()) || undefined, "the close");
    assert.equal((await serving.request({ path: "/" })).status, 200);
  });

  it("lets nobody stay who was turned away", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--max-connections", "1"] });
    await (await openRaw(t, serving)).send(head("GET /")).until(/hello\n$/);
    const refused = await openRaw(t, serving);
    await refused.ended();
    trickle(t, refused);
    await refused.closed(5_000);
  });
});

describe("--keep-alive-timeout", () => {
  it("closes a connection that stays idle", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--keep-alive-timeout", "200ms"] });
    const client = await openRaw(t, serving);
    assert.match(await client.send(head("GET /")).until(/hello\n$/), /^HTTP\/1\.1 200 /);
    await client.ended();
    const reason = { reason: "idle_timeout" };
    assert.equal(await serving.sum("outrigger_endpoint_connections_closed_total", reason), 1);
    assert.equal(await serving.sum("outrigger_endpoint_connections"), 0);
  });
});

describe("--keep-alive-timeout of several seconds", () => {
  it("is counted from the last response", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--keep-alive-timeout", "4s"] });
    const client = await openRaw(t, serving);
    const first = await client.send(head("GET /")).until(/hello\n$/);
    assert.match(first, /^Keep-Alive: timeout=4\r$/m);
    await client.send(head("GET /")).until(/hello\n[^]*hello\n$/);
    const answeredAt = performance.now();
    await client.ended();
    // node:http grants a second more than it announces.
    const idleMs = performance.now() - answeredAt;
    assert.ok(idleMs > 4_500, `closed after ${idleMs} ms`);
    const reason = { reason: "idle_timeout" };
    assert.equal(await serving.sum("outrigger_endpoint_connections_closed_total", reason), 1);
  });
});

describe("hostile targets and hosts", () => {
  const heads: Record<string, string> = {
    "credentials in an absolute target": head("GET http://user:secret@test/url"),
    "credentials in the host": "GET /url HTTP/1.1\r\nHost: user:secret@test\r\n\r\n",
    "a path in the host": "GET /url HTTP/1.1\r\nHost: test/json?\r\n\r\n",
    "a host that is none": "GET /url HTTP/1.1\r\nHost: [::z]\r\n\r\n",
    "a target that begins with two slashes": head("GET //evil.test/url"),
  };
  const expected: Record<string, RegExp> = {
    "credentials in an absolute target": /\nhttp:\/\/test\/url$/,
    "credentials in the host": /\nhttp:\/\/localhost\/url$/,
    "a path in the host": /\nhttp:\/\/localhost\/url$/,
    "a host that is none": /\nhttp:\/\/localhost\/url$/,
    "a target that begins with two slashes": /\nnot found$/,
  };
  for (const [what, bytes] of Object.entries(heads)) {
    it(`do not fool or fail a { fetch } app: ${what}`, async (t) => {
      const client = await openRaw(t, await serveApp(t, "fetch.mjs"));
      client.send(bytes.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
      const body = (await client.ended()).replace(/\r\n0\r\n\r\n$/, "");
      assert.match(body, expected[what] ?? /$^/);
    });
  }
});

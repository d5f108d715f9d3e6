import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LogLine } from "../helpers/log-lines.ts";
import { serveCode } from "../helpers/app-file.ts";
import { eventually } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import { portOf } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";

const FAILED = "app failed a request";

/** The error of a line as text: message, stack and all. */
function errorIn(line: LogLine): string {
  return Object.values((line["error"] ?? {}) as Record<string, unknown>).join("\n");
}

async function linesAtExit({ program }: Serving, message: string): Promise<LogLine[]> {
  program.signal("SIGTERM");
  assert.deepEqual(await program.exit(), { code: 0, signal: null });
  return program.lines.filter(({ msg }) => msg === message);
}

/** Resolves with the line about a worker that was ready again after `pid` had gone. */
function replacementOf({ program }: Serving, pid: number): Promise<LogLine> {
  return program.line((line) => line.msg === "worker ready" && line["pid"] !== pid);
}

describe("an app that throws", () => {
  const throwing: Record<string, readonly [app: string, path: string, message: string]> = {
    "at once": ["hello.mjs", "/throw", "thrown by the app"],
    "in an async handler": ["hello.mjs", "/throw-async", "rejected by the handler"],
    "in a fetch handler": ["fetch.mjs", "/throw", "thrown by fetch"],
  };
  for (const [where, [app, path, message]] of Object.entries(throwing)) {
    it(`${where} costs a 500 and one log line`, async (t) => {
      const serving = await serveApp(t, app);
      const response = await serving.request({ path });
      assert.deepEqual([response.status, response.text()], [500, "Internal Server Error\n"]);
      assert.equal((await serving.request({ path: "/" })).status, 200);
      const status = { status: "5xx" };
      assert.equal(await serving.sum("http_server_request_duration_seconds_count", status), 1);
      const lines = await linesAtExit(serving, FAILED);
      assert.equal(lines.length, 1);
      const [line = {}] = lines;
      assert.deepEqual([line["method"], line["path"]], ["GET", path]);
      assert.match(errorIn(line), new RegExp(`${message}[^]*fixtures/apps/${app}`));
    });
  }

  it("sends no Response costs a 500 and a line that says what was wanted", async (t) => {
    const serving = await serveApp(t, "flow-fetch.mjs");
    assert.equal((await serving.request({ path: "/bad" })).status, 500);
    const [line = {}] = await linesAtExit(serving, FAILED);
    assert.match(errorIn(line), /fetch returned string, not a Response/);
  });
});

describe("an app that throws again or too late", () => {
  const CODE = `
    const routes = {
      "/bad-message": (res) => { res.statusMessage = "caf\\u0101"; res.end("never sent"); },
      "/after-end": (res) => { res.end("x".repeat(5_000_000)); throw new Error("too late"); },
    };
    export default (req, res) => routes[req.url](res);
  `;

  it("with a status message that cannot be sent costs a 500", async (t) => {
    const serving = await serveCode(t, CODE);
    const response = await serving.request({ path: "/bad-message" });
    assert.deepEqual([response.status, response.text()], [500, "Internal Server Error\n"]);
    const [line = {}] = await linesAtExit(serving, FAILED);
    assert.match(errorIn(line), /Invalid character in statusMessage/);
    assert.doesNotMatch(serving.program.stdout, /worker crashed/);
  });

  it("after its response was complete costs a log line alone", async (t) => {
    const serving = await serveCode(t, CODE);
    const response = await serving.request({ path: "/after-end" });
    assert.deepEqual([response.status, response.body.length], [200, 5_000_000]);
    const lines = await linesAtExit(serving, FAILED);
    assert.deepEqual(lines.map(errorIn).length, 1);
  });
});

describe("an upgrade that fails", () => {
  const CODE = `
    export default (_req, res) => res.end(String(process.pid));
    const SWITCHING = "HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: x\\r\\n\\r\\n";
    export function upgrade(req, socket) {
      const { pathname } = new URL(req.url, "http://app");
      if (pathname === "/reject") return Promise.reject(new Error("rejected by the hook"));
      socket.write(SWITCHING);
      if (pathname === "/late") throw new Error("too late");
      setInterval(() => socket.write("tick"), 10);
    }
  `;

  function handshake(target: string): string {
    return `GET ${target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`;
  }

  for (const [how, target, answer] of [
    ["by throwing", "//", /^HTTP\/1\.1 500 Internal Server Error\r\n[^]*\r\n\r\n$/],
    ["by rejecting", "/reject", /^HTTP\/1\.1 500 Internal Server Error\r\n[^]*\r\n\r\n$/],
    ["after it has answered", "/late", /^(HTTP\/1\.1 101 [^]*\r\n\r\n)?$/],
  ] as const) {
    it(`${how} costs its connection and one log line, not the worker`, async (t) => {
      const serving = await serveCode(t, CODE);
      const pid = (await serving.request({ path: "/" })).text();
      const client = await RawClient.open(t, { path: serving.socketPath });
      assert.match(await client.send(handshake(target)).ended(), answer);
      assert.equal((await serving.request({ path: "/" })).text(), pid);
      const [line = {}, ...others] = await linesAtExit(serving, "app failed an upgrade");
      assert.deepEqual([line["method"], line["path"], others], ["GET", target, []]);
    });
  }

  it("because its client resets costs the connection alone", async (t) => {
    const serving = await serveCode(t, CODE, { args: ["--listen", "127.0.0.1:0"] });
    const port = portOf(await serving.program.address());
    const pid = (await request({ port, path: "/" })).text();
    const client = await RawClient.open(t, { host: "127.0.0.1", port });
    await client.send(handshake("/")).until(/tick/);
    client.socket.resetAndDestroy();
    const isGone = async (): Promise<true | undefined> =>
      (await serving.sum("outrigger_endpoint_connections")) === 0 ? true : undefined;
    await eventually(5_000, isGone, "the connection to be gone");
    assert.equal((await request({ port, path: "/" })).text(), pid);
    assert.deepEqual(await linesAtExit(serving, "worker crashed"), []);
  });
});

describe("an app that ends its worker", () => {
  it("by an unhandled rejection leaves a stack in the log, and the worker is replaced", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const pid = Number((await serving.request({ path: "/pid" })).text());
    await assert.rejects(serving.request({ path: "/reject" }));
    const crash = await serving.program.line("worker crashed");
    assert.deepEqual([crash["pid"], crash["event"]], [pid, "unhandledRejection"]);
    assert.match(errorIn(crash), /rejected by the app[^]*fixtures\/apps\/hello\.mjs/);
    const exit = await serving.program.line("worker exited");
    assert.deepEqual([exit["pid"], exit["code"], exit["reason"]], [pid, 1, "crash"]);
    await replacementOf(serving, pid);
    assert.equal((await serving.request({ path: "/" })).status, 200);
    const reason = { reason: "crash" };
    assert.equal(await serving.sum("outrigger_worker_restarts_total", reason), 1);
  });

  it("by process.exit() is told with its code, and the worker is replaced", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const pid = Number((await serving.request({ path: "/pid" })).text());
    await assert.rejects(serving.request({ path: "/exit" }));
    const exit = await serving.program.line("worker exited");
    assert.deepEqual([exit["pid"], exit["code"]], [pid, 7]);
    await replacementOf(serving, pid);
    assert.equal((await serving.request({ path: "/" })).status, 200);
  });

  for (const path of ["/reject", "/exit"]) {
    it(`by ${path} loses no counts and no access log lines`, async (t) => {
      const serving = await serveApp(t, "hello.mjs");
      const pid = Number((await serving.request({ path: "/pid" })).text());
      for (let sent = 0; sent < 20; sent += 1) await serving.request({ path: "/" });
      await assert.rejects(serving.request({ path }));
      await replacementOf(serving, pid);
      const metrics = await serving.metrics();
      const answered = metrics.sum("http_server_request_duration_seconds_count", { status: "2xx" });
      assert.equal(answered, 21);
      assert.equal(metrics.sum("outrigger_endpoint_connections_accepted_total"), 22);
      assert.equal(metrics.sum("outrigger_endpoint_connections"), 0);
      assert.equal(metrics.sum("outrigger_endpoint_requests_in_flight"), 0);
      const lines = await linesAtExit(serving, "request");
      assert.equal(lines.filter((line) => line["path"] === "/").length, 20);
    });
  }

  it("by process.exit() is told with its code even where nothing can be measured", async (t) => {
    const serving = await serveCode(
      t,
      `export default () => {
        process.cpuUsage = () => { throw new Error("out of order"); };
        process.exit(7);
      };`,
    );
    await assert.rejects(serving.request({ path: "/" }));
    const exit = await serving.program.line("worker exited");
    assert.deepEqual([exit["code"], exit["reason"]], [7, "crash"]);
  });

  it("does not disturb the other workers", async (t) => {
    const serving = await serveApp(t, "hello.mjs", {
      args: ["--workers", "2", "--min-ready", "2"],
    });
    const pids = new Set(serving.program.workerPids());
    assert.equal(pids.size, 2);
    await assert.rejects(serving.request({ path: "/exit" }));
    // Both before and after the exit is noticed somebody answers: the socket never refuses.
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async () => (await serving.request({ path: "/" })).status),
    );
    assert.deepEqual(new Set(statuses), new Set([200]));
    const exit = await serving.program.line("worker exited");
    await serving.program.line(
      ({ msg, pid }) => msg === "worker ready" && typeof pid === "number" && !pids.has(pid),
    );
    const left = serving.program.workerPids().filter((pid) => pids.has(pid));
    assert.equal(left.length, 1);
    assert.notEqual(left[0], exit["pid"]);
  });
});

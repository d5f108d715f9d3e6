import assert from "node:assert/strict";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { eventually } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import type { LogLine } from "../helpers/log-lines.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx } from "../helpers/nginx.ts";
import { portOf } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import type { Scope } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const KILOBYTE = 1024;

const APPS = { "(req, res)": "bodies.mjs", "{ fetch }": "bodies-fetch.mjs" };

interface State {
  readonly uploads: number;
  readonly ends: number;
  readonly errors: number;
  readonly closes: number;
}

function openRaw(scope: Scope, { socketPath }: Serving): Promise<RawClient> {
  return RawClient.open(scope, { path: socketPath });
}

function head(requestLine: string, ...headers: string[]): string {
  return [`${requestLine} HTTP/1.1`, "Host: test", ...headers, "", ""].join("\r\n");
}

function rejected(serving: Serving, reason: string): Promise<number> {
  return serving.sum("outrigger_endpoint_connections_rejected_total", { reason });
}

/** The access-log line of an answer of ours, without what differs from run to run. */
async function refusalLine({ program }: Serving, reason: string): Promise<LogLine> {
  const line = await program.line((logged) => logged["reason"] === reason);
  const {
    time: _time,
    pid: _pid,
    bytes,
    duration_ms: durationMs,
    request_id: _id,
    ...fields
  } = line;
  assert.ok(Number(bytes) > 50);
  return { ...fields, ...(durationMs === undefined ? {} : { hasDuration: true }) };
}

function chunk(bytes: number): string {
  return `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`;
}

async function stateOf(serving: Serving): Promise<State> {
  return (await serving.request({ path: "/state" })).json() as State;
}

const LINE = { level: 30, msg: "request", endpoint: "app", client: "unix" };

describe("an answer of our own", () => {
  interface Case {
    readonly bytes: string;
    readonly status: number;
    readonly reason: string;
    readonly line: object;
    readonly args?: readonly string[];
  }
  const cases: Record<string, Case> = {
    "400 to what is no request": {
      bytes: "THIS IS NOT HTTP\r\n\r\n",
      status: 400,
      reason: "bad_request",
      line: {},
    },
    "400 to a request without a Host": {
      bytes: "GET /x HTTP/1.1\r\nUser-Agent: test/1\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n",
      status: 400,
      reason: "bad_request",
      line: {
        method: "GET",
        path: "/x",
        client: "203.0.113.7",
        user_agent: "test/1",
        hasDuration: true,
      },
    },
    "408 to headers that take too long": {
      bytes: "GET / HTTP/1.1\r\nHost: te",
      status: 408,
      reason: "request_timeout",
      line: {},
      args: ["--headers-timeout", "500ms"],
    },
    "413 to a body that says it is too large": {
      bytes: head("POST /x", "Content-Length: 2049"),
      status: 413,
      reason: "body_too_large",
      line: { method: "POST", path: "/x", hasDuration: true },
      args: ["--max-body-size", "2Ki"],
    },
    "413 in the place of 100 Continue": {
      bytes: head("POST /x", "Content-Length: 2049", "Expect: 100-continue"),
      status: 413,
      reason: "body_too_large",
      line: { method: "POST", path: "/x", hasDuration: true },
      args: ["--max-body-size", "2Ki"],
    },
    "414 to a long request line": {
      bytes: head(`GET /${"x".repeat(8 * KILOBYTE)}`),
      status: 414,
      reason: "request_line_too_long",
      line: { method: "GET", path: `/${"x".repeat(1_023)}…`, hasDuration: true },
    },
    "414 to a request line beyond the size of all headers": {
      bytes: head(`GET /${"x".repeat(20 * KILOBYTE)}`),
      status: 414,
      reason: "request_line_too_long",
      line: { method: "GET", path: `/${"x".repeat(1_023)}…` },
    },
    "417 to an expectation": {
      bytes: head("POST /x", "Content-Length: 1", "Expect: a-miracle"),
      status: 417,
      reason: "bad_request",
      line: { method: "POST", path: "/x", hasDuration: true },
    },
    "431 to large headers": {
      bytes: head("GET /x", `X-Big: ${"x".repeat(20 * KILOBYTE)}`),
      status: 431,
      reason: "headers_too_large",
      line: { method: "GET", path: "/x" },
    },
    "431 to headers above the size that was set": {
      bytes: head("GET /x", `X-Big: ${"x".repeat(2 * KILOBYTE)}`),
      status: 431,
      reason: "headers_too_large",
      line: { method: "GET", path: "/x" },
      args: ["--max-header-size", "2Ki"],
    },
    "431 to many headers": {
      bytes: head("GET /x", "a: b", "c: d", "e: f"),
      status: 431,
      reason: "headers_too_large",
      line: { method: "GET", path: "/x", hasDuration: true },
      args: ["--max-headers", "3"],
    },
  };
  for (const [what, { bytes, status, reason, line, args = [] }] of Object.entries(cases)) {
    it(`is logged and counted: ${what}`, async (t) => {
      const serving = await serveApp(t, "hello.mjs", { args });
      const client = await openRaw(t, serving);
      client.send(bytes);
      const answer = await client.ended();
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\nConnection: close\\r\\n`));
      assert.equal(await rejected(serving, reason), 1);
      assert.deepEqual(await refusalLine(serving, reason), { ...LINE, ...line, status, reason });
      assert.equal(await serving.sum("http_server_request_duration_seconds_count"), 0);
    });
  }

  it("is logged and counted: 503 above --max-connections", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--max-connections", "1"] });
    await (await openRaw(t, serving)).send(head("GET /")).until(/hello\n$/);
    const refused = await openRaw(t, serving);
    refused.send(head("GET /later"));
    assert.match(await refused.ended(), /^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/);
    const reason = "max_connections";
    const line = await refusalLine(serving, reason);
    assert.deepEqual(line, { ...LINE, method: "GET", path: "/later", status: 503, reason });
    assert.equal(await rejected(serving, reason), 1);
  });

  it("names a TCP client, and in the combined format a request only if there was one", async (t) => {
    const args = ["--listen", "127.0.0.1:0", "--access-log", "combined"];
    const serving = await serveApp(t, "hello.mjs", { args });
    const port = portOf(await serving.program.address());
    const client = await RawClient.open(t, { host: "127.0.0.1", port });
    client.send("THIS IS NOT HTTP\r\n\r\n");
    await client.ended();
    serving.program.signal("SIGTERM");
    await serving.program.exit();
    assert.match(serving.program.stdout, /^127\.0\.0\.1 - - \[[^\]]+\] "-" 400 \d+ "-" "-"$/m);
  });

  it("comes behind the responses to what was asked before", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await openRaw(t, serving);
    client.send(head("GET /slow?ms=100") + "GET /x HTTP/1.1\r\n\r\n" + head("GET /pid"));
    assert.match(
      await client.ended(),
      /^HTTP\/1\.1 200 [^]*slow\n[^]*HTTP\/1\.1 400 [^]*\r\n\r\n$/,
    );
    const line = await serving.program.line(({ reason }) => reason === "bad_request");
    assert.deepEqual([line["path"], line["status"]], ["/x", 400]);
  });
});

describe("limits of an endpoint", () => {
  it("may differ from those of another", async (t) => {
    const narrow = join(await tempDir(t), "narrow.sock");
    const serving = await serveApp(t, "hello.mjs", {
      args: [
        ...["--listen", `${narrow}?name=narrow&max-request-line=1Ki`],
        ...["--listen", "127.0.0.1:0?name=wide", "--max-request-line", "12Ki"],
      ],
    });
    const port = portOf(await serving.program.address("wide"));
    const path = `/${"x".repeat(10 * KILOBYTE)}`;
    assert.equal((await request({ port, path })).status, 404);
    const client = await RawClient.open(t, { path: narrow });
    assert.match(await client.send(head(`GET ${path}`)).ended(), /^HTTP\/1\.1 414 /);
  });

  it("do not keep a request from using them up", async (t) => {
    const args = ["--max-headers", "2", "--max-request-line", "1Ki", "--max-body-size", "2Ki"];
    const serving = await serveApp(t, "hello.mjs", { args });
    const client = await openRaw(t, serving);
    const target = `/upload?${"x".repeat(KILOBYTE - "POST /upload? HTTP/1.1".length)}`;
    client.send(head(`POST ${target}`, "Content-Length: 2048") + "x".repeat(2 * KILOBYTE));
    await client.until(/"bytes":2048/);
    const chunked = head("POST /upload", "Transfer-Encoding: chunked");
    client.send(`${chunked}${chunk(1_024)}${chunk(1_024)}0\r\n\r\n`);
    await client.until(/"bytes":2048[^]*"bytes":2048/);
  });
});

for (const [kind, app] of Object.entries(APPS)) {
  describe(`--max-body-size and a ${kind} app`, () => {
    const args = ["--max-body-size", "2Ki"];

    it("never lets it see a request that says it is too large", async (t) => {
      const serving = await serveApp(t, app, { args });
      const client = await openRaw(t, serving);
      const body = "x".repeat(100 * KILOBYTE);
      client.send(`${head("POST /", `Content-Length: ${body.length}`)}${body}${head("GET /")}`);
      assert.match(await client.ended(), /^HTTP\/1\.1 413 [^]*\r\n\r\n$/);
      assert.deepEqual(await stateOf(serving), { uploads: 0, ends: 0, errors: 0, closes: 0 });
    });

    it("answers 413 once a body without a length is too large, and gives it no end", async (t) => {
      const serving = await serveApp(t, app, { args });
      const client = await openRaw(t, serving);
      client.send(head("POST /", "Transfer-Encoding: chunked") + chunk(2_000));
      client.send(`${chunk(2_000)}${chunk(200)}0\r\n\r\n${head("GET /")}`);
      assert.match(await client.ended(), /^HTTP\/1\.1 413 [^]*\r\n\r\n$/);
      assert.equal(await rejected(serving, "body_too_large"), 1);
      const line = await refusalLine(serving, "body_too_large");
      assert.deepEqual([line["path"], line["status"]], ["/", 413]);
      await client.close();
      const left = async (): Promise<true | undefined> =>
        (await stateOf(serving)).errors === 1 || undefined;
      await eventually(DEADLINE_MS, left, "the app to learn that its client is gone");
      assert.deepEqual(await stateOf(serving), { uploads: 1, ends: 0, errors: 1, closes: 1 });
      const { lines } = serving.program;
      assert.equal(lines.filter(({ reason }) => reason === "body_too_large").length, 1);
      assert.ok(!lines.some(({ msg }) => msg === "worker crashed"));
      assert.equal(await serving.sum("outrigger_endpoint_requests_in_flight"), 0);
    });

    it("reaches a client behind nginx as 413", needs("nginx"), async (t) => {
      const serving = await serveApp(t, app, { args });
      const { port } = await startNginx(t, {
        dir: serving.dir,
        socket: serving.socketPath,
        proxyRequestBuffering: "off",
      });
      const body = "x".repeat(1_024 * KILOBYTE);
      assert.equal((await request({ port, method: "POST", path: "/", body })).status, 413);
      const chunked = Readable.from([body]);
      assert.equal((await request({ port, path: "/", body: chunked })).status, 413);
    });
  });
}

describe("--max-body-size", () => {
  it("cuts the connection when a response has begun", async (t) => {
    const serving = await serveApp(t, "bodies.mjs", { args: ["--max-body-size", "2Ki"] });
    const client = await openRaw(t, serving);
    await client.send(head("POST /early", "Transfer-Encoding: chunked")).until(/begun/);
    client.send(chunk(3_000));
    const answer = await client.ended();
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.doesNotMatch(answer, / 413 |\r\n0\r\n/);
    assert.equal(await rejected(serving, "body_too_large"), 1);
  });
});

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import http2 from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { makeCertificate, tlsQuery } from "../helpers/certificates.ts";
import { serveCode } from "../helpers/app-file.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import { get, openSession, read } from "../helpers/http2-client.ts";
import { frame, FRAME, headers, session as sessionBytes } from "../helpers/http2-frames.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx } from "../helpers/nginx.ts";
import { portOf } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { accepted, assertGone, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { findTool, type Tool } from "../tools.ts";

const DEADLINE_MS = 15_000;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** An empty SETTINGS frame. */
const SETTINGS = "\0\0\0\x04\0\0\0\0\0";
/** A frame of HEADERS: `GET /` on the first stream. */
const GET = "\0\0\x0e\x01\x05\0\0\0\x01\x82\x86\x84\x41\x09localhost";
/** A frame of HEADERS: an extended CONNECT on the first stream. */
const CONNECT_WEB_SOCKET =
  "\0\0\x2b\x01\x04\0\0\0\x01\x42\x07CONNECT\x40\x09:protocol\x09websocket\x86\x84\x41\x09localhost";
const LARGE_BYTES = 20_000_000;
/** The same for a large answer. */
const GET_LARGE = `\0\0\x27\x01\x05\0\0\0\x01\x82\x86\x04\x18/download?bytes=${LARGE_BYTES}\x41\x09localhost`;
/** Frames of SETTINGS and WINDOW_UPDATE that let all of it come. */
const WIDE_WINDOWS =
  "\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";
/** What begins a frame of that kind for the whole connection. */
const GOAWAY = "\0\0\x08\x07\0\0\0\0\0";
const PING = "\0\0\x08\x06\0\0\0\0\0";
const PING_ACK = "\0\0\x08\x06\x01\0\0\0\0";
const HIGHEST_STREAM = "\x7f\xff\xff\xff";
const run = promisify(execFile);

async function runTool(tool: Tool, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(findTool(tool) ?? tool, args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Opens a port of which every connection goes on to a Unix socket. */
async function relayTo(scope: Scope, path: string): Promise<number> {
  const server = createServer((socket) => {
    const onward = connect(path);
    socket.pipe(onward).pipe(socket);
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  onEnd(scope, () => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot open a relay");
  return address.port;
}

function anywhere(bytes: string): RegExp {
  return new RegExp(escape(bytes));
}

function followed(bytes: string, more: number): RegExp {
  return new RegExp(`${escape(bytes)}[^]{${more}}`);
}

function escape(bytes: string): string {
  return bytes.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

async function closedFor({ sum }: Serving, reason: string, connections: number): Promise<void> {
  const closed = "outrigger_endpoint_connections_closed_total";
  const check = async (): Promise<true | undefined> =>
    (await sum(closed, { reason })) === connections || undefined;
  await eventually(DEADLINE_MS, check, `${connections} connections closed for ${reason}`);
}

describe("HTTP/2 in plain text", () => {
  it("shares a socket with HTTP/1.1, with one app and one set of counts", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const { socketPath, sum, dir } = serving;
    const session = openSession(t, socketPath);
    const [first, second] = await Promise.all([get(session, "/json"), get(session, "/slow?ms=50")]);
    assert.deepEqual([first.status, first.body.toString()], [200, '{"hello":"world"}']);
    assert.equal(second.body.toString(), "slow\n");
    assert.equal((await serving.request({})).text(), "hello\n");
    await accepted(dir, 1);
    assert.equal(await sum("outrigger_worker_connections"), 1);
    assert.equal(await sum("http_server_request_duration_seconds_count"), 3);
    assert.equal(await sum("outrigger_endpoint_requests_in_flight"), 0);
    const held = session.request({ ":path": "/hang" });
    held.on("error", () => {});
    const inFlight = async (): Promise<true | undefined> =>
      (await sum("outrigger_endpoint_requests_in_flight")) === 1 || undefined;
    await eventually(DEADLINE_MS, inFlight, "a stream in flight");
    session.destroy();
    await closedFor(serving, "client", 1);
    assert.equal(await sum("outrigger_endpoint_connections_accepted_total"), 2);
    assert.equal(await sum("outrigger_endpoint_requests_in_flight"), 0);
  });

  it("gives an app the request it would have had", async (t) => {
    const { socketPath, program } = await serveApp(t, "hello.mjs");
    const session = openSession(t, socketPath);
    const headers = { ":path": "/headers", ":authority": "example.test", cookie: ["a=1", "b=2"] };
    const { body } = await read(session.request({ ...headers, "x-one": "1" }));
    const { "x-request-id": id, ...received } = JSON.parse(body.toString()) as Record<
      string,
      string
    >;
    assert.equal(typeof id, "string");
    assert.deepEqual(received, {
      host: "example.test",
      "x-one": "1",
      cookie: "a=1; b=2",
    });
    const { requestId: _id, ...whoami } = JSON.parse(
      (await get(session, "/whoami")).body.toString(),
    ) as Record<string, unknown>;
    assert.deepEqual(whoami, {
      endpoint: "app",
      server: { path: socketPath },
      scheme: "http",
      host: "localhost:80",
    });
    assert.equal((await get(session, "/throw")).status, 500);
    assert.equal((await get(session, "/nowhere")).status, 404);
    const head = session.request({ ":path": "/download?bytes=10", ":method": "HEAD" });
    assert.deepEqual(await read(head), { status: 200, body: Buffer.alloc(0), trailers: {} });
    await program.line(({ msg, path }) => msg === "request" && path === "/nowhere");
  });

  it("passes bodies both ways, with trailers", async (t) => {
    const { socketPath } = await serveApp(t, "hello.mjs");
    const session = openSession(t, socketPath);
    const body = Buffer.alloc(2_000_000, "0123456789");
    for (const sized of [{}, { "content-length": body.length }]) {
      const stream = session.request({ ":path": "/echo", ":method": "POST", ...sized });
      const answer = read(stream);
      stream.end(body);
      const { body: echoed, trailers } = await answer;
      assert.ok(echoed.equals(body));
      assert.deepEqual(trailers, { "x-bytes": String(body.length) });
    }
  });

  it("holds an app up whose client does not read", async (t) => {
    const { socketPath, sum } = await serveApp(t, "hello.mjs", { args: ["--access-log", "off"] });
    const session = openSession(t, socketPath);
    const stream = session.request({ ":path": "/download?bytes=100000000" });
    await within(DEADLINE_MS, once(stream, "response"), "a response");
    stream.pause();
    for (let times = 0; times < 20; times += 1) assert.equal((await get(session, "/")).status, 200);
    assert.equal(await sum("outrigger_endpoint_requests_in_flight"), 1);
    const resident = await sum("process_resident_memory_bytes", { worker: "0" });
    assert.ok(resident < 250_000_000, `${resident} bytes`);
    stream.destroy();
    const ended = async (): Promise<true | undefined> =>
      (await sum("outrigger_endpoint_requests_in_flight")) === 0 || undefined;
    await eventually(DEADLINE_MS, ended, "the request to end");
  });

  it("answers others on a connection whose peer leaves a large answer unread", async (t) => {
    const app = `export default ({ url }, res) => res.end(url === "/" ? "small" : Buffer.alloc(40e6));`;
    const { socketPath } = await serveCode(t, app);
    const session = openSession(t, socketPath);
    const large = session.request({ ":path": "/large" });
    await within(DEADLINE_MS, once(large, "response"), "a response");
    for (let times = 0; times < 5; times += 1)
      assert.equal(String((await get(session, "/")).body), "small");
    assert.equal((await read(large)).body.length, 40e6);
  });

  it("knows the preface wherever it is cut, and HTTP/1.1 that begins alike", async (t) => {
    const { socketPath } = await serveApp(t, "hello.mjs");
    for (let cut = 1; cut < PREFACE.length; cut += 1) {
      const client = await RawClient.open(t, { path: socketPath });
      client.socket.setNoDelay(true);
      client.send(PREFACE.slice(0, cut));
      // A round trip through the same worker: the first part has been read.
      await request({ socketPath });
      client.send(PREFACE.slice(cut) + SETTINGS);
      // The settings of a server come first.
      assert.equal((await client.until(/^[^]{9}/))[3], "\x04");
      client.socket.destroy();
    }
    for (const method of ["PUT", "PROPFIND", "P", "PRI"]) {
      const client = await RawClient.open(t, { path: socketPath });
      client.send(method.slice(0, 1));
      await request({ socketPath });
      client.send(`${method.slice(1)} /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      const status = method.length > 1 && method !== "PRI" ? 200 : 400;
      assert.match(await client.ended(), new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  it("refuses the preface behind a request", async (t) => {
    const { socketPath, sum } = await serveApp(t, "hello.mjs");
    const client = await RawClient.open(t, { path: socketPath });
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").until(/hello\n$/);
    client.send(PREFACE + SETTINGS);
    assert.match(await client.ended(), /hello\nHTTP\/1\.1 400 /);
    const rejected = { reason: "bad_request" };
    assert.equal(await sum("outrigger_endpoint_connections_rejected_total", rejected), 1);
  });

  it("knows whose a connection is behind a PROXY header", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await serveCode(t, "export default (req, res) => res.end(req.socket.remoteAddress);", {
      args: ["--listen", `${path}?proxy-protocol=require`],
    });
    const createConnection = (): Socket => {
      const socket = connect(path);
      socket.write("PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n");
      return socket;
    };
    const session = http2.connect("http://localhost", { createConnection });
    onEnd(t, () => session.destroy());
    for (let streams = 0; streams < 2; streams += 1)
      assert.equal((await get(session, "/")).body.toString(), "203.0.113.9");
  });

  it("gives a preface, and the first request behind it, a deadline", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--headers-timeout", "300ms"] });
    const { socketPath, sum } = serving;
    const stalled = await RawClient.open(t, { path: socketPath });
    assert.match(await stalled.send("PRI * HT").ended(), /^HTTP\/1\.1 408 /);
    const silent = await RawClient.open(t, { path: socketPath });
    silent.send(PREFACE + SETTINGS);
    // It does not hang up, and is cut a while later.
    await silent.ended();
    await closedFor(serving, "idle_timeout", 1);
    const rejected = { reason: "request_timeout" };
    assert.equal(await sum("outrigger_endpoint_connections_rejected_total", rejected), 1);
  });

  it("does not wait for a client that says goodbye and stays", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await RawClient.open(t, { path: serving.socketPath });
    client.send(
      sessionBytes(frame({ type: FRAME.GOAWAY, payload: Buffer.alloc(8) })).toString("latin1"),
    );
    await client.ended();
    await closedFor(serving, "client", 1);
  });

  it("drains: GOAWAY at once, streams finish", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const session = openSession(t, serving.socketPath);
    await get(session, "/");
    const goaway = once(session, "goaway");
    const slow = get(session, "/slow?ms=1000");
    const begun = async (): Promise<true | undefined> =>
      (await serving.sum("outrigger_endpoint_requests_in_flight")) === 1 || undefined;
    await eventually(DEADLINE_MS, begun, "the request to begin");
    serving.program.signal("SIGTERM");
    const [code] = (await within(DEADLINE_MS, goaway, "a GOAWAY")) as [number];
    assert.equal(code, http2.constants.NGHTTP2_NO_ERROR);
    assert.equal((await slow).body.toString(), "slow\n");
    assert.deepEqual(await serving.program.exit(), STOPPED);
    await assertGone(serving);
  });

  it("serves a request that was on its way when the end was announced", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await RawClient.open(t, { path: serving.socketPath });
    client.send(PREFACE + SETTINGS);
    await client.until(/^[^]{9}/);
    serving.program.signal("SIGTERM");
    // All streams are taken still; the answer to the ping says that the peer knows.
    await client.until(anywhere(GOAWAY + HIGHEST_STREAM));
    const received = await client.until(followed(PING, 8));
    const payload = received.slice(received.indexOf(PING) + PING.length).slice(0, 8);
    client.send(GET);
    await client.until(/hello\n/);
    client.send(PING_ACK + payload);
    const all = await client.ended();
    assert.ok(all.endsWith(`${GOAWAY}\0\0\0\x01\0\0\0\0`));
    client.socket.destroy();
    assert.deepEqual(await serving.program.exit(), STOPPED);
    await assertGone(serving);
  });

  it("drains while a large answer is under way that is not read yet", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const client = await RawClient.open(t, { path: serving.socketPath });
    client.socket.pause();
    client.send(PREFACE + WIDE_WINDOWS + GET_LARGE);
    const full = async (): Promise<true | undefined> =>
      (await serving.sum("outrigger_endpoint_requests_in_flight")) === 1 || undefined;
    await eventually(DEADLINE_MS, full, "the answer to begin");
    serving.program.signal("SIGTERM");
    await serving.program.line("endpoints withdrawn");
    client.socket.resume();
    const all = await client.ended();
    assert.ok(all.length > LARGE_BYTES, `${all.length} bytes`);
    assert.ok(all.includes(`${GOAWAY}\0\0\0\x01\0\0\0\0`));
    client.socket.destroy();
    assert.deepEqual(await serving.program.exit(), STOPPED);
    await assertGone(serving);
  });

  it("drains without waiting for headers that have begun", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--grace-period", "60s"] });
    const client = await RawClient.open(t, { path: serving.socketPath });
    client.send(sessionBytes(headers(1), headers(3, { flags: 0 })).toString("latin1"));
    await client.until(/hello\n/);
    serving.program.signal("SIGTERM");
    assert.deepEqual(await serving.program.exit(), STOPPED);
    await assertGone(serving);
  });

  it("drains without waiting for the rest of a request that was answered", async (t) => {
    const index = new URL("../../dist/index.js", import.meta.url).href;
    const app = `import { getContext } from ${JSON.stringify(index)};
    export default (req, res) =>
      getContext(req).draining.addEventListener("abort", () => res.end("late"));`;
    const serving = await serveCode(t, app, { args: ["--grace-period", "60s"] });
    const session = openSession(t, serving.socketPath);
    const stream = session.request({ ":path": "/", ":method": "POST" });
    stream.write("x");
    const answer = read(stream);
    const begun = async (): Promise<true | undefined> =>
      (await serving.sum("outrigger_endpoint_requests_in_flight")) === 1 || undefined;
    await eventually(DEADLINE_MS, begun, "the request to begin");
    serving.program.signal("SIGTERM");
    assert.equal((await answer).body.toString(), "late");
    assert.deepEqual(await serving.program.exit(), STOPPED);
    await assertGone(serving);
  });

  it("ends a session that resets streams as fast as it opens them, and serves others", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--access-log", "off"] });
    const session = openSession(t, serving.socketPath);
    await get(session, "/");
    const closed = new Promise((resolve) => session.once("close", resolve));
    for (let times = 0; times < 5_000 && !session.destroyed; times += 1) {
      const stream = session.request({ ":path": "/hang" });
      stream.on("error", () => {});
      stream.close(http2.constants.NGHTTP2_CANCEL);
      if (times % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await within(DEADLINE_MS, closed, "the session to be ended");
    assert.equal((await serving.request({})).text(), "hello\n");
    const idle = async (): Promise<true | undefined> =>
      (await serving.sum("outrigger_endpoint_requests_in_flight")) === 0 || undefined;
    await eventually(DEADLINE_MS, idle, "the requests to end");
    assert.equal(serving.program.lines.filter(({ msg }) => msg === "worker exited").length, 0);
  });

  for (const [what, frame] of Object.entries({
    "PING frames": "\0\0\x08\x06\0\0\0\0\x0012345678",
    "SETTINGS frames": SETTINGS,
    "CONTINUATION frames": "\0\0\x01\x09\0\0\0\0\x01a",
  })) {
    it(`bounds a flood of ${what}, and serves others`, async (t) => {
      const { socketPath, request: ask, program } = await serveApp(t, "hello.mjs");
      const client = await RawClient.open(t, { path: socketPath });
      client.socket.pause();
      const begin = what.startsWith("CONT") ? "\0\0\x01\x01\x01\0\0\0\x01\x82" : "";
      client.send(PREFACE + SETTINGS + begin);
      for (let times = 0; times < 200 && !client.socket.destroyed; times += 1)
        client.send(frame.repeat(1_000));
      assert.equal((await ask({})).text(), "hello\n");
      client.socket.resume();
      await client.close();
      assert.equal((await ask({})).text(), "hello\n");
      assert.equal(program.lines.filter(({ msg }) => msg === "worker exited").length, 0);
    });
  }
});

describe("HTTP/2 for what is no request", () => {
  it("answers 501 to CONNECT", async (t) => {
    const { socketPath } = await serveApp(t, "hello.mjs");
    const session = openSession(t, socketPath);
    const tunnel = session.request({ ":method": "CONNECT", ":authority": "localhost:1" });
    assert.equal((await read(tunnel)).status, 501);
    assert.equal((await get(session, "/")).status, 200);
  });

  it("resets a stream that asks for a WebSocket, which was not offered, and serves others", async (t) => {
    const { socketPath } = await serveApp(t, "hello.mjs");
    const client = await RawClient.open(t, { path: socketPath });
    client.send(PREFACE + SETTINGS + CONNECT_WEB_SOCKET);
    // RST_STREAM with PROTOCOL_ERROR (RFC 8441, section 3).
    const received = await client.until(anywhere("\0\0\x04\x03\0\0\0\0\x01\0\0\0\x01"));
    // SETTINGS_ENABLE_CONNECT_PROTOCOL is not 1.
    assert.ok(!received.includes("\0\x08\0\0\0\x01"));
    client.send(GET.replace("\x05\0\0\0\x01", "\x05\0\0\0\x03"));
    await client.until(/hello\n/);
  });
});

describe("a client of HTTP/2 that takes its request back", () => {
  it("aborts it in the app, and is no error of the app's", async (t) => {
    const { socketPath, program, sum } = await serveApp(t, "flow-fetch.mjs", {
      args: ["--log-level", "debug"],
    });
    const session = openSession(t, socketPath);
    const stream = session.request({ ":path": "/endless" });
    stream.on("error", () => {});
    await within(DEADLINE_MS, once(stream, "response"), "a response");
    stream.close(http2.constants.NGHTTP2_CANCEL);
    const ended = async (): Promise<true | undefined> =>
      (await sum("outrigger_endpoint_requests_in_flight")) === 0 || undefined;
    await eventually(DEADLINE_MS, ended, "the request to end");
    await program.line(({ msg, status }) => msg === "request" && status === 499);
    assert.ok(!program.lines.some(({ level }) => level === 50));
  });
});

describe("what HTTP/1.1 lets an app do", () => {
  const APP = `export default (req, res) => {
    if (req.url === "/trailers") {
      res.writeHead(200, { trailer: "connection" });
      res.write("a");
      res.addTrailers({ connection: "close", "x-sum": "1" });
      return res.end("b");
    }
    if (req.url === "/timeout") {
      req.setTimeout(20);
      return setTimeout(() => res.end("late"), 200);
    }
    res.writeHead(413, { connection: "close" });
    res.end("too much");
  };`;

  it("does not end its worker: trailers for one connection, timeouts of a request", async (t) => {
    const serving = await serveCode(t, APP);
    const session = openSession(t, serving.socketPath);
    assert.equal(String((await get(session, "/trailers")).body), "ab");
    assert.equal(String((await get(session, "/timeout")).body), "late");
    assert.equal(serving.program.lines.filter(({ msg }) => msg === "worker crashed").length, 0);
  });

  it("may answer a request before its end, whose stream is closed then", async (t) => {
    const { socketPath } = await serveCode(t, APP);
    const session = openSession(t, socketPath);
    const stream = session.request({ ":method": "POST", ":path": "/" }).resume();
    // More than anybody reads ahead.
    stream.write(Buffer.alloc(1_000_000));
    await within(DEADLINE_MS, once(stream, "response"), "the answer");
    await within(DEADLINE_MS, once(stream, "close"), "the end of the stream");
    assert.equal(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR);
  });
});

describe("frameworks over HTTP/2", () => {
  for (const app of ["express.mjs", "koa.mjs", "fastify.mjs", "hono.mjs", "h3.mjs"]) {
    it(`${app} answers as it does over HTTP/1.1`, async (t) => {
      const { socketPath, request: ask } = await serveApp(t, app);
      const { status, body } = await get(openSession(t, socketPath), "/");
      const old = await ask({});
      assert.deepEqual([status, body.toString()], [old.status, old.text()]);
      assert.equal(status, 200);
    });
  }
});

describe("HTTP/2 by choice", () => {
  it("is all that http=2 speaks, and what http=1 does not", async (t) => {
    const dir = await tempDir(t);
    const [one, two] = [join(dir, "1"), join(dir, "2")];
    const args = ["--listen", `${one}?name=one&http=1`, "--listen", `${two}?name=two&http=2`];
    const { program } = await serveApp(t, "hello.mjs", { args });
    assert.equal((await request({ socketPath: one })).status, 200);
    assert.equal((await get(openSession(t, two), "/")).status, 200);
    assert.equal((await request({ socketPath: two })).status, 505);
    await assert.rejects(get(openSession(t, one), "/"));
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), STOPPED);
  });

  it("is chosen by ALPN through TLS", needs("openssl", "curl"), async (t) => {
    const dir = await tempDir(t);
    const pair = await makeCertificate({ dir, name: "localhost" });
    const args = ["auto", "1", "2"].flatMap((http) => [
      "--listen",
      `127.0.0.1:0?name=http-${http}&${tlsQuery(pair)}&http=${http}`,
    ]);
    const { program, sum } = await serveApp(t, "hello.mjs", { args });
    const version = async (http: string, flag: string): Promise<string> => {
      const port = portOf(await program.address(`http-${http}`));
      const url = `https://127.0.0.1:${port}/json`;
      return await runTool(
        "curl",
        "-sk",
        flag,
        "-o",
        join(dir, "out"),
        "-w",
        "%{http_version}",
        url,
      );
    };
    assert.equal(await version("auto", "--http2"), "2");
    assert.equal(await version("auto", "--http1.1"), "1.1");
    assert.equal(await version("1", "--http2"), "1.1");
    assert.equal(await version("2", "--http2"), "2");
    await assert.rejects(version("2", "--http1.1"));
    // Whoever offers no protocol is told in text what is wrong.
    assert.equal(await version("2", "--no-alpn"), "1.1");
    const rejected = { reason: "unsupported_version", endpoint: "http-2" };
    assert.equal(await sum("outrigger_endpoint_connections_rejected_total", rejected), 1);
  });
});

describe("HTTP/2 clients", needs("curl", "h2load", "nghttp", "nginx"), () => {
  it("curl, nghttp and h2load speak it on a Unix socket and on TCP", async (t) => {
    const socketPath = join(await tempDir(t), "s");
    const { program, sum } = await serveApp(t, "hello.mjs", {
      args: ["--listen", `${socketPath}?name=unix`, "--listen", "127.0.0.1:0?name=tcp"],
    });
    const port = portOf(await program.address("tcp"));
    const url = `http://127.0.0.1:${port}/json`;
    const known = "--http2-prior-knowledge";
    const json = '{"hello":"world"}';
    assert.equal(await runTool("curl", "-sS", known, url), json);
    assert.equal(
      await runTool("curl", "-sS", known, "--unix-socket", socketPath, "http://localhost/json"),
      json,
    );
    // nghttp knows no Unix sockets.
    const relayed = `http://127.0.0.1:${await relayTo(t, socketPath)}/json`;
    for (const each of [url, relayed])
      assert.match(await runTool("nghttp", each), /^\{"hello":"world"\}/);
    const both = ["-n", "400", "-c", "4", "-m", "8"];
    const unix = ["--base-uri", `unix:${socketPath}`, "http://localhost/json"];
    // Both versions at once on either endpoint.
    const texts = await Promise.all([
      runTool("h2load", ...both, ...unix),
      runTool("h2load", "--h1", ...both, ...unix),
      runTool("h2load", ...both, url),
      runTool("h2load", "--h1", ...both, url),
    ]);
    for (const text of texts) assert.match(text, /400 succeeded, 0 failed, 0 errored/);
    assert.equal(await sum("outrigger_endpoint_connections_rejected_total"), 0);
  });

  it("nginx passes on by grpc_pass, with trailers", async (t) => {
    const { socketPath, dir } = await serveApp(t, "hello.mjs");
    const { port } = await startNginx(t, {
      dir,
      socket: socketPath,
      listenOptions: "http2",
      server: `location /echo { grpc_pass grpc://outrigger; }`,
    });
    const file = join(dir, "body");
    await writeFile(file, "x".repeat(300_000));
    const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
    const known = ["--http2-prior-knowledge", "-sS", "-D", join(dir, "heads")];
    const url = `http://127.0.0.1:${port}/echo`;
    const body = await runTool("curl", ...known, ...headers, "--data-binary", `@${file}`, url);
    assert.equal(body.length, 300_000);
    const session = http2.connect(`http://127.0.0.1:${port}`);
    onEnd(t, () => session.destroy());
    for (let times = 0; times < 20; times += 1) {
      const sent = { ":path": "/echo", ":method": "POST", "content-type": "application/grpc" };
      const stream = session.request({ ...sent, te: "trailers" });
      const answer = read(stream);
      stream.end("12345");
      const { status, trailers } = await answer;
      assert.deepEqual([status, trailers], [200, { "x-bytes": "5" }]);
    }
  });
});

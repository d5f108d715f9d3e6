import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { io, type Socket } from "socket.io-client";
import { makeCertificate, tlsQuery } from "../helpers/certificates.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx, type Nginx } from "../helpers/nginx.ts";
import { portOf } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { serveApp, type Serving, type ServingOptions } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { WebSocketClient } from "../helpers/web-socket-client.ts";

const DEADLINE_MS = 20_000;
/** A drain that ends by itself ends long before. */
const LONG_GRACE = ["--grace-period", "60s"];
const OPEN = "outrigger_endpoint_websockets";

const HANDSHAKE =
  "GET /socket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/** Frames as a server sends them. */
const PING = bytes("\x89\0");
const CLOSE_1012 = bytes("\x88\x02\x03\xf4");
const CLOSE_1002 = bytes("\x88\x02\x03\xea");

/** Apps that take WebSockets at /socket, each in a way of its own. */
const APPS = {
  "a fetch app": "fetch-websocket.mjs",
  "an upgrade hook that accepts through us": "node-websocket.mjs",
  "an upgrade hook with the package ws": "hello.mjs",
  "an http.Server with the package ws": "server.mjs",
} as const;

/** Matches these bytes, a character each. */
function bytes(text: string): RegExp {
  return new RegExp(text);
}

interface Stack {
  readonly serving: Serving;
  readonly nginx: Nginx;
}

async function startStack(scope: Scope, app: string, options: ServingOptions = {}): Promise<Stack> {
  const serving = await serveApp(scope, app, options);
  const nginx = await startNginx(scope, { dir: serving.dir, socket: serving.socketPath });
  return { serving, nginx };
}

async function untilOpen({ sum }: Serving, wanted: number): Promise<void> {
  const isReached = async (): Promise<true | undefined> =>
    (await sum(OPEN)) === wanted ? true : undefined;
  await eventually(DEADLINE_MS, isReached, `${wanted} open WebSockets`);
}

async function endsCleanly({ program }: Serving): Promise<void> {
  assert.deepEqual(await program.exit(DEADLINE_MS), { code: 0, signal: null });
}

async function openSocketIo(scope: Scope, port: number): Promise<Socket> {
  const socket = io(`http://127.0.0.1:${port}`, {
    transports: ["websocket"],
    reconnectionDelay: 50,
  });
  onEnd(scope, () => void socket.disconnect());
  await within(DEADLINE_MS, new Promise<void>((done) => socket.once("connect", done)), "Socket.IO");
  return socket;
}

describe("WebSockets through nginx", needs("nginx"), () => {
  for (const [kind, app] of Object.entries(APPS)) {
    it(`reach ${kind}, and close with 1012 when it drains`, async (t) => {
      const { serving, nginx } = await startStack(t, app, { args: LONG_GRACE });
      const client = await WebSocketClient.open(t, { port: nginx.port });
      // The fetch app greets.
      if (app === "fetch-websocket.mjs") assert.equal(String(await client.message()), "open ");
      assert.equal(String(await client.echo("hello")), "hello");
      const megabyte = randomBytes(1024 * 1024);
      assert.ok((await client.echo(megabyte)).equals(megabyte));
      assert.equal(await serving.sum(OPEN), 1);
      assert.equal(await serving.sum("outrigger_endpoint_requests_in_flight"), 0);
      serving.program.signal("SIGTERM");
      assert.equal(await client.closeCode(), 1012);
      await endsCleanly(serving);
    });
  }

  it("of Socket.IO close when the worker is replaced, and come back to the next", async (t) => {
    const { serving, nginx } = await startStack(t, "socket-io.mjs", { args: LONG_GRACE });
    const socket = await openSocketIo(t, nginx.port);
    assert.equal(await socket.timeout(DEADLINE_MS).emitWithAck("echo", "one"), "one");
    assert.equal(await serving.sum(OPEN), 1);
    const reconnected = new Promise<void>((done) => socket.once("connect", done));
    serving.program.signal("SIGHUP");
    await within(DEADLINE_MS, reconnected, "Socket.IO to come back");
    assert.equal(await socket.timeout(DEADLINE_MS).emitWithAck("echo", "two"), "two");
    await serving.program.line("worker exited");
    await untilOpen(serving, 1);
    serving.program.signal("SIGTERM");
    await endsCleanly(serving);
  });

  it("may be a thousand idle ones, and all are told of the drain", async (t) => {
    const args = [...LONG_GRACE, "--websocket-ping-interval", "4s"];
    const { serving, nginx } = await startStack(t, "fetch-websocket.mjs", { args });
    const clients: WebSocketClient[] = [];
    for (let batch = 0; batch < 20; batch += 1) {
      const opening = Array.from({ length: 50 }, () =>
        WebSocketClient.open(t, { port: nginx.port }),
      );
      clients.push(...(await Promise.all(opening)));
    }
    await untilOpen(serving, 1000);
    const pings = clients.map(
      ({ webSocket }) => new Promise<void>((done) => webSocket.once("ping", () => done())),
    );
    await within(DEADLINE_MS, Promise.all(pings), "a ping for each");
    assert.equal(await serving.sum(OPEN), 1000);
    serving.program.signal("SIGTERM");
    const codes = await Promise.all(clients.map((client) => client.closeCode()));
    assert.deepEqual([...new Set(codes)], [1012]);
    await endsCleanly(serving);
  });
});

describe("a drain", () => {
  it("closes WebSockets with 1001 if so configured", async (t) => {
    const args = [...LONG_GRACE, "--websocket-close-code", "1001"];
    const serving = await serveApp(t, "fetch-websocket.mjs", { args });
    const client = await WebSocketClient.open(t, serving);
    serving.program.signal("SIGTERM");
    assert.equal(await client.closeCode(), 1001);
    await endsCleanly(serving);
  });

  it("leaves WebSockets to the app if so configured, and cuts them when the grace period is over", async (t) => {
    const args = ["--grace-period", "2s", "--websocket-close-code", "off"];
    const serving = await serveApp(t, "fetch-websocket.mjs", { args });
    const client = await WebSocketClient.open(t, { ...serving, path: "/farewell" });
    const farewell = client.message();
    serving.program.signal("SIGTERM");
    assert.equal(String(await farewell), "bye");
    assert.equal(client.webSocket.readyState, client.webSocket.OPEN);
    assert.equal(await client.closeCode(), 1006);
    await serving.program.exit(DEADLINE_MS);
  });

  it("lets the app say farewell before it closes", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs", { args: LONG_GRACE });
    const client = await WebSocketClient.open(t, { ...serving, path: "/farewell" });
    const farewell = client.message();
    serving.program.signal("SIGTERM");
    assert.equal(String(await farewell), "bye");
    assert.equal(await client.closeCode(), 1012);
    await endsCleanly(serving);
  });

  it("waits ten seconds for clients that do not answer the close, not the whole grace period", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs", { args: LONG_GRACE });
    const deaf = await RawClient.open(t, { path: serving.socketPath });
    await deaf.send(HANDSHAKE).until(/101 /);
    serving.program.signal("SIGTERM");
    // An unmasked close frame with 1012.
    await deaf.until(CLOSE_1012);
    await deaf.ended();
    await deaf.close();
    await endsCleanly(serving);
  });

  for (const app of ["fetch-websocket.mjs", "node-websocket.mjs"]) {
    it(`tells ${app}, which ends its event streams`, async (t) => {
      const serving = await serveApp(t, app, { args: LONG_GRACE });
      const client = await RawClient.open(t, { path: serving.socketPath });
      await client.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n").until(/data: hello/);
      serving.program.signal("SIGTERM");
      assert.match(await client.ended(), /data: bye\n\n\r\n0\r\n\r\n$/);
      await endsCleanly(serving);
    });
  }

  it("refuses no WebSocket that comes on an open connection, but closes it", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs", { args: LONG_GRACE });
    const stream = await RawClient.open(t, { path: serving.socketPath });
    await stream.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n").until(/data: hello/);
    const late = await RawClient.open(t, { path: serving.socketPath });
    // A request that has begun keeps its connection open.
    late.send(HANDSHAKE.slice(0, -2));
    serving.program.signal("SIGTERM");
    await stream.until(/bye/);
    await late.send("\r\n").until(CLOSE_1012);
    await late.close();
    await endsCleanly(serving);
  });
});

describe("a WebSocket that we accepted", () => {
  it("is cut when it answers no ping; one that answers stays", async (t) => {
    const args = ["--websocket-ping-interval", "2s"];
    const serving = await serveApp(t, "fetch-websocket.mjs", { args });
    const alive = await WebSocketClient.open(t, serving);
    const deaf = await RawClient.open(t, { path: serving.socketPath });
    await deaf.send(HANDSHAKE).until(/101 /);
    await untilOpen(serving, 2);
    // An empty ping.
    assert.match(await deaf.ended(), PING);
    await deaf.close();
    assert.equal(String(await alive.message()), "open ");
    assert.equal(String(await alive.echo("still here")), "still here");
    await untilOpen(serving, 1);
  });

  it("does not idle out as its connection would have before", async (t) => {
    const args = ["--keep-alive-timeout", "200ms", "--websocket-ping-interval", "3s"];
    const serving = await serveApp(t, "fetch-websocket.mjs", { args });
    const client = await RawClient.open(t, { path: serving.socketPath });
    await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n").until(/hello/);
    await client.send(HANDSHAKE).until(PING);
    await client.close();
  });

  it(
    "may come through TLS, on an endpoint that speaks HTTP/2 as well",
    needs("openssl"),
    async (t) => {
      const pair = await makeCertificate({ dir: await tempDir(t), name: "server" });
      const args = [...LONG_GRACE, "--listen", `127.0.0.1:0?${tlsQuery(pair)}`];
      const serving = await serveApp(t, "fetch-websocket.mjs", { args });
      const port = portOf(await serving.program.address());
      const client = await WebSocketClient.open(t, { port, isSecure: true });
      assert.equal(String(await client.message()), "open ");
      assert.equal(String(await client.echo("hello")), "hello");
      serving.program.signal("SIGTERM");
      assert.equal(await client.closeCode(), 1012);
      await endsCleanly(serving);
    },
  );

  it("agrees on the subprotocol, and its handshake carries headers of the response", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs");
    const opening = { ...serving, path: "/late", protocols: ["superchat", "chat"] };
    const client = await WebSocketClient.open(t, opening);
    assert.equal(client.webSocket.protocol, "chat");
    assert.equal(client.headers["x-greeting"], "hello");
  });

  it("loses nothing that the client sends before the handshake has ended", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs");
    const client = await RawClient.open(t, { path: serving.socketPath });
    // A masked text frame, masked with zeros.
    client.send(HANDSHAKE.replace("/socket", "/late")).send("\x81\x82\0\0\0\0hi");
    await client.until(bytes("\x81\x05open \x81\x02hi"));
  });

  it("ends with 1009 over a message that is too long, and with 1002 over a frame that is none", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs");
    const client = await WebSocketClient.open(t, { ...serving, path: "/small" });
    client.webSocket.send("more than ten bytes");
    assert.equal(await client.closeCode(), 1009);
    const broken = await RawClient.open(t, { path: serving.socketPath });
    await broken.send(HANDSHAKE).until(/101 /);
    broken.send("\xff\xff\xff\xff");
    assert.match(await broken.ended(), CLOSE_1002);
    await broken.close();
    await untilOpen(serving, 0);
    assert.equal(serving.program.workerPids().length, 1);
  });

  it("has one line in the access log, when it ends, and is a request of class 1xx at once", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs");
    const client = await WebSocketClient.open(t, serving);
    const labels = { method: "GET", status: "1xx" };
    const count = "http_server_request_duration_seconds_count";
    assert.equal(await serving.sum(count, labels), 1);
    assert.equal(serving.program.lines.filter((line) => line["path"] === "/socket").length, 0);
    client.webSocket.close(1000);
    const line = await serving.program.line(({ status }) => status === 101);
    assert.equal(line["path"], "/socket");
    await untilOpen(serving, 0);
    assert.equal(await serving.sum(count, labels), 1);
  });
});

describe("a request for a WebSocket", () => {
  it("may be answered like any other", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs");
    const answers = {
      "/refused": /^HTTP\/1.1 403 [^]*connection: close\r\n[^]*no sockets here/i,
      "/long": /^HTTP\/1.1 200 [^]*x{1000}/i,
      "/changed-mind": /^HTTP\/1.1 503 [^]*later/i,
      "/throw": /^HTTP\/1.1 500 /,
    };
    for (const [path, expected] of Object.entries(answers)) {
      const client = await RawClient.open(t, { path: serving.socketPath });
      client.send(HANDSHAKE.replace("/socket", path));
      assert.match(await client.ended(), expected);
      await client.close();
      await serving.program.line((line) => line["path"] === path);
    }
    const { code } = await serving.program.line("never opened");
    assert.equal(code, 1006);
    assert.equal(await serving.sum("outrigger_endpoint_requests_in_flight"), 0);
  });

  it("is required: 426 where the client asks for none", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs");
    const response = await serving.request({ path: "/socket" });
    assert.equal(response.status, 426);
    assert.equal(response.headers["upgrade"], "websocket");
    assert.equal((await serving.request({ path: "/" })).status, 200);
  });

  it("that is wrong is answered 400", async (t) => {
    const serving = await serveApp(t, "fetch-websocket.mjs");
    for (const missing of ["AAAAAAAAAAAAAAAAAAAAAA==", "Host: test\r\n"]) {
      const client = await RawClient.open(t, { path: serving.socketPath });
      client.send(HANDSHAKE.replace(missing, ""));
      assert.match(await client.ended(), /^HTTP\/1.1 400 /);
    }
  });
});

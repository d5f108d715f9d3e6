import assert from "node:assert/strict";
import { once } from "node:events";
import http2, { type ClientHttp2Session } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import tls from "node:tls";
import { makeCertificate, tlsQuery } from "../helpers/certificates.ts";
import { eventually, within } from "../helpers/deadline.ts";
import type { LogLine } from "../helpers/log-lines.ts";
import { needs } from "../helpers/needs.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const REJECTED = "outrigger_endpoint_connections_rejected_total";
const CLOSED = "outrigger_endpoint_connections_closed_total";

/** A frame of HTTP/2, a character a byte. */
function frame(type: number, flags: number, stream: number, payload = ""): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return head.toString("latin1") + payload;
}

const SETTINGS = frame(4, 0, 0);
const ACKNOWLEDGED = frame(4, 1, 0);
const PREFACE = `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${SETTINGS}`;
const CANCEL = "\0\0\0\x08";

/** A request for `/hang`, whose headers are sent as they are. */
function get(stream: number): string {
  return frame(1, 5, stream, "\x82\x86\0\x05:path\x05/hang\0\x0a:authority\x01x");
}

/** A client that has agreed to the settings of the server. */
async function openRaw(scope: Scope, path: string): Promise<RawClient> {
  const client = await RawClient.open(scope, { path });
  await client.send(PREFACE).until(/^[^]{9}/);
  return client.send(ACKNOWLEDGED);
}

function openSession(scope: Scope, path: string): ClientHttp2Session {
  return follow(scope, () => connect(path));
}

function follow(scope: Scope, createConnection: () => Socket): ClientHttp2Session {
  const session = http2.connect("http://localhost", { createConnection });
  onEnd(scope, () => session.destroy());
  session.on("error", () => {});
  return session;
}

interface Answer {
  readonly status: number | undefined;
  readonly retryAfter: string | undefined;
}

async function ask(
  session: ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders = {},
): Promise<Answer> {
  const stream = session.request({ ":path": "/", ...headers });
  stream.on("error", () => {});
  const [answer] = (await within(DEADLINE_MS, once(stream, "response"), "an answer")) as [
    http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
  ];
  stream.resume();
  return { status: answer[":status"], retryAfter: answer["retry-after"] };
}

async function counted(serving: Serving, endpoint: string, reason: string): Promise<void> {
  const check = async (): Promise<true | undefined> =>
    (await serving.sum(REJECTED, { endpoint, reason })) === 1 || undefined;
  await eventually(DEADLINE_MS, check, `one ${reason} to be counted`);
  // Nothing is counted twice, or on another endpoint.
  assert.equal(await serving.sum(REJECTED), 1);
}

/** Two endpoints: `few` has the options, `app` has not. */
async function serveFew(
  scope: Scope,
  query: string,
): Promise<Serving & { readonly few: string; readonly app: string }> {
  const dir = await tempDir(scope);
  const [few, app] = [join(dir, "few"), join(dir, "app")];
  const args = [
    ...["--listen", `${few}?name=few&${query}`, "--listen", `${app}?name=app`],
    ...["--log-level", "debug"],
  ];
  return { ...(await serveApp(scope, "hello.mjs", { args })), few, app };
}

describe("max-streams of an endpoint", () => {
  it("is told to clients, and ends a session that opens more, for its reason", async (t) => {
    const serving = await serveFew(t, "max-streams=2");
    const told = async (path: string): Promise<unknown> =>
      (await within(DEADLINE_MS, once(openSession(t, path), "remoteSettings"), "settings"))[0];
    assert.partialDeepStrictEqual(await told(serving.few), { maxConcurrentStreams: 2 });
    assert.partialDeepStrictEqual(await told(serving.app), { maxConcurrentStreams: 128 });
    const many = get(1) + get(3) + get(5);
    const allowed = (await openRaw(t, serving.app)).send(many);
    const refused = (await openRaw(t, serving.few)).send(many);
    await refused.ended();
    await counted(serving, "few", "max_streams");
    const line = await serving.program.line(({ msg }) => msg === "http2 session ended");
    const { level, endpoint, reason, error } = line;
    assert.deepEqual(
      [level, endpoint, reason, error],
      [20, "few", "max_streams", "Protocol error"],
    );
    assert.equal(allowed.socket.readableEnded, false);
  });

  it("lets as many be open at a time, again and again", async (t) => {
    const { few, sum } = await serveFew(t, "max-streams=4");
    const session = openSession(t, few);
    await within(DEADLINE_MS, once(session, "remoteSettings"), "settings");
    const inTurn = async (): Promise<void> => {
      for (let times = 0; times < 200; times += 1) assert.equal((await ask(session)).status, 200);
    };
    await Promise.all([inTurn(), inTurn(), inTurn(), inTurn()]);
    assert.equal(await sum(REJECTED), 0);
  });
});

describe("a session of HTTP/2 that has to be ended", () => {
  const cases: Record<string, readonly [string, readonly string[]]> = {
    "a frame that may not come": ["protocol_error", [frame(0, 1, 1, "x")]],
    "headers that cannot be decoded": ["protocol_error", [frame(1, 5, 1, "\xff".repeat(6))]],
    "a window beyond all bounds": ["protocol_error", [frame(8, 0, 0, "\x7f\xff\xff\xff")]],
    "a flood of PING frames": ["flood", Array(200).fill(frame(6, 0, 0, "12345678").repeat(1_000))],
    "a flood of CONTINUATION frames": [
      "flood",
      [frame(1, 1, 1, "\x82"), frame(9, 0, 1, "\0\x01a\x01b").repeat(50)],
    ],
    "malformed requests": [
      "flood",
      Array.from({ length: 120 }, (_, index) => frame(1, 5, 2 * index + 1, "\x82\x86")),
    ],
    "streams that are reset": [
      "flood",
      Array.from({ length: 400 }, (_, index) => {
        const stream = 2 * index + 1;
        return get(stream) + frame(3, 0, stream, CANCEL);
      }),
    ],
  };
  it("is counted and logged with its reason", async (t) => {
    const serving = await serveFew(t, "max-streams=1000");
    const reasons: string[] = [];
    for (const [what, [reason, parts]] of Object.entries(cases)) {
      const client = await openRaw(t, serving.few);
      // Whoever floods does not read.
      client.socket.pause();
      for (const part of parts) client.send(part);
      reasons.push(reason);
      const wanted = reasons.filter((one) => one === reason).length;
      const counts = async (): Promise<true | undefined> =>
        (await serving.sum(REJECTED, { endpoint: "few", reason })) === wanted || undefined;
      await eventually(DEADLINE_MS, counts, `${reason} to be counted for ${what}`);
      assert.equal((await ask(openSession(t, serving.few))).status, 200);
    }
    assert.equal(await serving.sum(REJECTED), reasons.length);
    // Not even one that does not read what it is told last keeps its connection.
    const closed = async (): Promise<true | undefined> =>
      (await serving.sum(CLOSED, { endpoint: "few", reason: "error" })) === reasons.length ||
      undefined;
    await eventually(DEADLINE_MS, closed, "their connections to be closed");
    const ended = ({ msg }: LogLine): boolean => msg === "http2 session ended";
    const logged = serving.program.lines.filter(ended);
    assert.deepEqual(
      logged.map(({ endpoint, reason }) => [endpoint, reason]),
      reasons.map((reason) => ["few", reason]),
    );
  });

  it("is not counted as refused when the client gave it up", async (t) => {
    const serving = await serveFew(t, "max-streams=1000");
    const client = await openRaw(t, serving.few);
    client.send(frame(7, 0, 0, "\0\0\0\0\0\0\0\x02"));
    await client.ended();
    const closed = async (): Promise<true | undefined> =>
      (await serving.sum(CLOSED, { endpoint: "few" })) === 1 || undefined;
    await eventually(DEADLINE_MS, closed, "the connection to be closed");
    assert.equal(await serving.sum(REJECTED), 0);
  });
});

describe("headers of HTTP/2", () => {
  it("may be as many as those of HTTP/1.1, and what is beyond is answered 431", async (t) => {
    const serving = await serveFew(t, "max-headers=20");
    const fields = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, "1"]));
    // The authority is a header to apps.
    assert.equal((await ask(openSession(t, serving.app), fields(999))).status, 200);
    assert.equal((await ask(openSession(t, serving.few), fields(19))).status, 200);
    assert.equal((await ask(openSession(t, serving.few), fields(20))).status, 431);
    await counted(serving, "few", "headers_too_large");
  });
});

describe("answers of HTTP/2 to who may not stay", () => {
  it("are 503 with Retry-After and a goodbye above max-connections, logged and counted", async (t) => {
    const serving = await serveFew(t, "max-connections=1");
    assert.equal((await ask(openSession(t, serving.few))).status, 200);
    const refused = openSession(t, serving.few);
    const goodbye = once(refused, "goaway");
    assert.deepEqual(await ask(refused, { ":path": "/later" }), { status: 503, retryAfter: "1" });
    const [code] = await within(DEADLINE_MS, goodbye, "a GOAWAY");
    assert.equal(code, http2.constants.NGHTTP2_NO_ERROR);
    await within(DEADLINE_MS, once(refused, "close"), "the end of the session");
    await counted(serving, "few", "max_connections");
    const line = await serving.program.line(({ reason }) => reason === "max_connections");
    const { endpoint, method, path, status } = line;
    assert.deepEqual([endpoint, method, path, status], ["few", "GET", "/later", 503]);
    assert.equal((await ask(openSession(t, serving.app))).status, 200);
  });

  it("are counted, too, when a client asks for nothing", async (t) => {
    const serving = await serveFew(t, "max-connections=1");
    const held = openSession(t, serving.few);
    assert.equal((await ask(held)).status, 200);
    const silent = await openRaw(t, serving.few);
    await silent.ended();
    await counted(serving, "few", "max_connections");
  });

  it("come through TLS as well", needs("openssl"), async (t) => {
    const pair = await makeCertificate({ dir: await tempDir(t), name: "localhost" });
    const serving = await serveFew(t, `${tlsQuery(pair)}&max-connections=1`);
    const open = (): ClientHttp2Session =>
      follow(t, () =>
        tls.connect({ path: serving.few, ALPNProtocols: ["h2"], rejectUnauthorized: false }),
      );
    assert.equal((await ask(open())).status, 200);
    assert.deepEqual(await ask(open()), { status: 503, retryAfter: "1" });
    await counted(serving, "few", "max_connections");
  });

  it("are 505 where only HTTP/2 is spoken", async (t) => {
    const serving = await serveFew(t, "http=2");
    const client = await RawClient.open(t, { path: serving.few });
    const answer = await client.send("GET /old HTTP/1.1\r\nHost: x\r\n\r\n").ended();
    assert.match(answer, /^HTTP\/1\.1 505 /);
    await counted(serving, "few", "unsupported_version");
    const line = await serving.program.line(({ reason }) => reason === "unsupported_version");
    assert.deepEqual([line["endpoint"], line["status"]], ["few", 505]);
  });
});

describe("keep-alive-timeout of an endpoint", () => {
  it("ends idle connections there, of both versions, and not elsewhere", async (t) => {
    const serving = await serveFew(t, "keep-alive-timeout=200ms");
    const opened = [serving.few, serving.app].map(async (path) => {
      const session = openSession(t, path);
      assert.equal((await ask(session)).status, 200);
      const old = await RawClient.open(t, { path });
      await old.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").until(/hello\n$/);
      return { session, old };
    });
    const [brief, lasting] = await Promise.all(opened);
    await brief?.old.ended();
    brief?.old.socket.end();
    const closed = async (): Promise<true | undefined> =>
      (await serving.sum(CLOSED, { endpoint: "few", reason: "idle_timeout" })) === 2 || undefined;
    await eventually(DEADLINE_MS, closed, "both connections to be closed");
    assert.equal(await serving.sum(CLOSED, { endpoint: "app" }), 0);
    assert.deepEqual([lasting?.session.closed, lasting?.old.socket.readableEnded], [false, false]);
  });
});

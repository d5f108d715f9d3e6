import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import https from "node:https";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { connect } from "node:net";
import tls, { type ConnectionOptions, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { makeAuthority, makeCertificate, tlsQuery, type Pair } from "../helpers/certificates.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { holdHandshake } from "../helpers/held-handshake.ts";
import { readResponse } from "../helpers/http.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx } from "../helpers/nginx.ts";
import { portOf, startProgram } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { runProgram } from "../helpers/run-program.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { accepted, assertGone, CUT, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { findTool } from "../tools.ts";

const DEADLINE_MS = 15_000;
const HANDSHAKE_FAILURES = "outrigger_tls_handshake_failures_total";
const run = promisify(execFile);

let unixPair: Pair;
let tcpPair: Pair;
let authority: Pair;
let alice: Pair;
let mallory: Pair;

before(async (t) => {
  const dir = await tempDir(t as unknown as Scope);
  authority = await makeAuthority(dir, "authority");
  unixPair = await makeCertificate({ dir, name: "unix", issuer: authority });
  tcpPair = await makeCertificate({ dir, name: "tcp" });
  alice = await makeCertificate({ dir, name: "alice", issuer: authority });
  mallory = await makeCertificate({ dir, name: "mallory" });
});

/** Sends a request through TLS and reads the whole answer; `path` is that of a socket, as for `net.connect`. */
async function ask(
  target: https.RequestOptions,
  path = "/",
): Promise<{ status: number; text: string }> {
  const sent = https.get({ ...target, path, rejectUnauthorized: false, agent: false });
  sent.on("error", () => {});
  const [message] = await within(DEADLINE_MS, once(sent, "response"), `an answer to ${path}`);
  const { status, text } = await readResponse(message);
  return { status, text: text() };
}

/** A TLS connection that is established. */
async function connectTls(scope: Scope, target: ConnectionOptions): Promise<TLSSocket> {
  const socket = tls.connect({ rejectUnauthorized: false, ...target });
  onEnd(scope, () => socket.destroy());
  socket.on("error", () => {});
  await within(DEADLINE_MS, once(socket, "secureConnect"), "the handshake");
  return socket;
}

async function peerName(scope: Scope, target: ConnectionOptions): Promise<unknown> {
  const socket = await connectTls(scope, target);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

async function identityOf(pair: Pair): Promise<{ cert: Buffer; key: Buffer }> {
  return { cert: await readFile(pair.cert), key: await readFile(pair.key) };
}

async function serveTls(
  scope: Scope,
  options = "",
  args: readonly string[] = [],
): Promise<Serving> {
  const socketPath = join(await tempDir(scope), "app.sock");
  const endpoint = `${socketPath}?name=app&${tlsQuery(unixPair)}${options}`;
  const serving = await serveApp(scope, "hello.mjs", { args: ["--listen", endpoint, ...args] });
  return { ...serving, socketPath, dir: join(socketPath, "..") };
}

async function failures({ sum }: Serving, reason: string): Promise<number> {
  return await sum(HANDSHAKE_FAILURES, { endpoint: "app", reason });
}

async function failed(serving: Serving, reason: string, times = 1): Promise<void> {
  const check = async (): Promise<true | undefined> =>
    (await failures(serving, reason)) === times || undefined;
  await eventually(DEADLINE_MS, check, `${times} handshakes that failed for ${reason}`);
}

describe("TLS endpoints", needs("openssl"), () => {
  it("serves Unix, TCP and plain endpoints side by side, each with its own certificate", async (t) => {
    const dir = await tempDir(t);
    const socketPath = join(dir, "tls.sock");
    const plainPath = join(dir, "plain.sock");
    const { program, request } = await serveApp(t, "hello.mjs", {
      args: [
        "--listen", `${socketPath}?name=unix&${tlsQuery(unixPair)}`,
        "--listen", `127.0.0.1:0?name=tcp&${tlsQuery(tcpPair)}`,
        "--listen", `${plainPath}?name=plain`,
      ],
    }); // prettier-ignore
    const port = portOf(await program.address("tcp"));
    assert.equal(await peerName(t, { path: socketPath }), "unix");
    assert.equal(await peerName(t, { port }), "tcp");
    assert.deepEqual(await ask({ socketPath }), { status: 200, text: "hello\n" });
    assert.deepEqual(await ask({ port }), { status: 200, text: "hello\n" });
    const whoami = async (target: https.RequestOptions): Promise<Record<string, unknown>> =>
      JSON.parse((await ask(target, "/whoami")).text) as Record<string, unknown>;
    const { scheme, endpoint, tls: info } = await whoami({ port, servername: "" });
    assert.deepEqual([scheme, endpoint, info], ["https", "tcp", { protocol: "TLSv1.3" }]);
    const named = await whoami({ socketPath, servername: "localhost" });
    assert.deepEqual(named["tls"], { protocol: "TLSv1.3", serverName: "localhost" });
    const { requestId: _id, ...plain } = (
      await request({ socketPath: plainPath, path: "/whoami" })
    ).json() as Record<string, unknown>;
    assert.deepEqual(plain, {
      endpoint: "plain",
      server: { path: plainPath },
      scheme: "http",
      host: "test",
    });
    const note = await program.line("tls on a unix socket");
    assert.deepEqual([note.level, note["endpoint"]], [30, "unix"]);
    assert.match(String(note["advice"]), /terminate TLS/);
  });

  it("gives fetch apps an https URL, and believes a trusted proxy about it", async (t) => {
    const socketPath = join(await tempDir(t), "s");
    const endpoints = [`${socketPath}?name=plain`, `127.0.0.1:0?name=tls&${tlsQuery(tcpPair)}`];
    const args = endpoints.flatMap((endpoint) => ["--listen", endpoint]);
    const { program, request } = await serveApp(t, "fetch.mjs", { args });
    const port = portOf(await program.address("tls"));
    const headers = { "x-forwarded-proto": "http" };
    const untrusted = await ask({ port, headers }, "/url");
    assert.match(untrusted.text, /^https:\/\//);
    const url = async (proto?: string): Promise<string> => {
      const given = proto === undefined ? {} : { "x-forwarded-proto": proto };
      return (await request({ socketPath, path: "/url", headers: given })).text();
    };
    assert.match(await url(), /^http:\/\//);
    assert.match(await url("https"), /^https:\/\//);
    assert.match(await url("gopher"), /^http:\/\//);
  });

  it("counts a connection in its handshake, gives it a deadline, and says why it failed", async (t) => {
    const args = ["--headers-timeout", "600ms", "--log-level", "debug"];
    const serving = await serveTls(t, "", args);
    const { socketPath, dir, sum, program } = serving;
    const client = await RawClient.open(t, { path: socketPath });
    // The head of a handshake record and no more.
    client.send("\x16\x03\x01\x02\x00");
    await accepted(dir, 1);
    const open = async (): Promise<true | undefined> =>
      (await sum("outrigger_worker_connections")) === 1 || undefined;
    await eventually(DEADLINE_MS, open, "the connection to be counted");
    await client.ended();
    await failed(serving, "timeout");
    const { level, reason } = await program.line("tls handshake failed");
    assert.deepEqual([level, reason], [20, "timeout"]);
    const closed = await sum("outrigger_endpoint_connections_closed_total", {
      reason: "tls_handshake",
    });
    assert.equal(closed, 1);
    assert.equal(await sum("outrigger_worker_connections"), 0);
  });

  it("counts failed handshakes by reason, and serves on", needs("curl"), async (t) => {
    const serving = await serveTls(t, "&tls-min=1.3");
    const { socketPath, program } = serving;
    const plain = await RawClient.open(t, { path: socketPath });
    plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(await plain.ended(), /^HTTP\/1\.1 400 [^]*This endpoint wants TLS/);
    await failed(serving, "not_tls");
    await assert.rejects(connectTls(t, { path: socketPath, maxVersion: "TLSv1.2" }));
    await failed(serving, "protocol");
    await assert.rejects(connectTls(t, { path: socketPath, ALPNProtocols: ["x"] }));
    await failed(serving, "protocol", 2);
    await assert.rejects(
      run(findTool("curl") ?? "curl", ["--unix-socket", socketPath, "https://x/"]),
    );
    await failed(serving, "alert");
    const leaver = await RawClient.open(t, { path: socketPath });
    leaver.send("\x16\x03\x01\x02\x00");
    await leaver.close();
    await failed(serving, "closed");
    // A probe that only connects is no handshake.
    await (await RawClient.open(t, { path: socketPath })).close();
    assert.equal((await ask({ socketPath })).status, 200);
    assert.equal(await serving.sum(HANDSHAKE_FAILURES), 5);
    assert.equal(program.lines.filter(({ msg }) => msg === "tls handshake failed").length, 0);
  });

  it("turns away what is above max-connections with 503, through TLS", async (t) => {
    const { socketPath, sum, program } = await serveTls(t, "&max-connections=1");
    const first = await connectTls(t, { path: socketPath });
    first.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await within(DEADLINE_MS, once(first, "data"), "an answer");
    assert.equal((await ask({ socketPath })).status, 503);
    const rejected = { reason: "max_connections" };
    assert.equal(await sum("outrigger_endpoint_connections_rejected_total", rejected), 1);
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), STOPPED);
  });

  it("lets go of clients that reset right behind the handshake, whose request is still read", async (t) => {
    const tcp = `127.0.0.1:0?name=tcp&${tlsQuery(tcpPair)}`;
    const { socketPath, sum, program } = await serveTls(t, "", ["--listen", tcp]);
    const port = portOf(await program.address("tcp"));
    const [worker = 0] = program.workerPids();
    // The app has it all, and answers, only after a second read.
    const upload = `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n${"x".repeat(40_000)}`;
    for (const target of [{ path: socketPath }, { host: "127.0.0.1", port }]) {
      const client = await holdHandshake(t, target, upload);
      // It is to find all of it at once.
      process.kill(worker, "SIGSTOP");
      await client.sendAndReset().finally(() => process.kill(worker, "SIGCONT"));
    }
    const isOver = async (): Promise<true | undefined> => {
      const accepted = await sum("outrigger_endpoint_connections_accepted_total");
      const closed = await sum("outrigger_endpoint_connections_closed_total");
      return (accepted === 2 && closed === 2) || undefined;
    };
    await eventually(DEADLINE_MS, isOver, "both connections to be closed");
    assert.equal(await sum("outrigger_endpoint_requests_in_flight"), 0);
  });

  it("finishes requests when it drains, and cuts a handshake at the deadline", async (t) => {
    const serving = await serveTls(t, "", ["--grace-period", "3s"]);
    const { socketPath, dir, program } = serving;
    const slow = ask({ socketPath }, "/slow?ms=1000");
    const idle = await connectTls(t, { path: socketPath });
    const stuck = await RawClient.open(t, { path: socketPath });
    stuck.send("\x16\x03\x01\x02\x00");
    await accepted(dir, 3);
    program.signal("SIGTERM");
    assert.equal((await slow).text, "slow\n");
    if (!idle.destroyed) await within(DEADLINE_MS, once(idle.resume(), "close"), "the end");
    await stuck.ended();
    assert.deepEqual(await program.exit(), CUT);
    await assertGone({ ...serving, dir });
  });

  it("takes a PROXY header before the handshake", async (t) => {
    const { socketPath } = await serveTls(t, "&proxy-protocol=require");
    const below = connect(socketPath);
    onEnd(t, () => below.destroy());
    below.write("PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n");
    const socket = await connectTls(t, { socket: below });
    socket.write("GET /whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const text = Buffer.concat((await socket.toArray()) as Buffer[]).toString();
    const context: unknown = JSON.parse(/\{.*\}/.exec(text)?.[0] ?? "null");
    const client = { address: "203.0.113.7", port: 4711 };
    assert.partialDeepStrictEqual(context, { scheme: "https", client });
  });

  it("ends connections that are idle", async (t) => {
    const { socketPath, sum } = await serveTls(t, "", ["--keep-alive-timeout", "300ms"]);
    const socket = await connectTls(t, { path: socketPath });
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await within(DEADLINE_MS, once(socket.resume(), "close"), "the idle connection to close");
    const closed = "outrigger_endpoint_connections_closed_total";
    const check = async (): Promise<true | undefined> =>
      (await sum(closed, { reason: "idle_timeout" })) === 1 || undefined;
    await eventually(DEADLINE_MS, check, "the idle connection to be counted");
  });

  it("serves with workers in its own process as well", async (t) => {
    const { socketPath } = await serveTls(t, "", ["--workers", "0"]);
    assert.equal((await ask({ socketPath })).status, 200);
  });
});

describe("a start with TLS", needs("openssl"), () => {
  it("is refused before anything is bound when the key belongs to another certificate", async (t) => {
    const dir = await tempDir(t);
    const pair = { cert: unixPair.cert, key: tcpPair.key };
    const endpoints = [
      join(dir, "first.sock"),
      `${join(dir, "app.sock")}?${tlsQuery(pair)}&name=web`,
    ];
    const args = [fixture("hello.mjs"), "--ops", "off", "--log-level", "silent"];
    const listen = endpoints.flatMap((endpoint) => ["--listen", endpoint]);
    const program = startProgram(t, { args: [...args, ...listen] });
    assert.deepEqual(await program.exit(), { code: 3, signal: null });
    assert.match(
      program.stderr,
      /^outrigger: Cannot serve TLS on "web": tls-key \S+ does not belong to tls-cert [^\n]+\n$/,
    );
    assert.deepEqual(await readdir(dir), []);
  });

  it("warns of a certificate that has expired, and serves", async (t) => {
    const dir = await tempDir(t);
    const expired = await makeCertificate({ dir, name: "expired", days: -1 });
    const socketPath = join(dir, "app.sock");
    const endpoint = `${socketPath}?name=app&${tlsQuery(expired)}`;
    const { program } = await serveApp(t, "hello.mjs", { args: ["--listen", endpoint] });
    const { level, file } = await program.line("certificate has expired");
    assert.deepEqual([level, file], [40, expired.cert]);
    assert.equal((await ask({ socketPath })).status, 200);
  });

  it("is looked at by outrigger check", async (t) => {
    const dir = await tempDir(t);
    const listen = ["--listen", `${join(dir, "a")}?name=good&${tlsQuery(unixPair)}`];
    const missing = { cert: unixPair.cert, key: join(dir, "missing.key") };
    const good = await runProgram(t, ["check", ...listen]);
    assert.match(good.stdout, /^ok {4}good: its certificate is good for 29 days$/m);
    const bad = await runProgram(t, [
      "check",
      ...listen,
      "--listen",
      `:0?name=bad&${tlsQuery(missing)}`,
    ]);
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /^fail {2}bad: .*missing\.key does not exist/m);
  });
});

describe("client certificates", needs("openssl"), () => {
  const withCa = (mode: string): string => `&tls-ca=${authority.cert}&tls-client-auth=${mode}`;

  it("are required: who has none, or one of a stranger, is not let in", async (t) => {
    const serving = await serveTls(t, withCa("require"));
    const { socketPath } = serving;
    const known = await ask({ socketPath, ...(await identityOf(alice)) }, "/whoami");
    const { tls: info } = JSON.parse(known.text) as { tls: { certificate: object } };
    assert.partialDeepStrictEqual(info.certificate, { authorized: true, subject: { CN: "alice" } });
    await assert.rejects(ask({ socketPath }));
    await assert.rejects(ask({ socketPath, ...(await identityOf(mallory)) }));
    await failed(serving, "client_certificate", 2);
  });

  it("are requested: the app is told who is authorized", async (t) => {
    const { socketPath } = await serveTls(t, withCa("request"));
    const whoami = async (identity: object): Promise<object | undefined> => {
      const { text } = await ask({ socketPath, ...identity }, "/whoami");
      return (JSON.parse(text) as { tls: { certificate?: object } }).tls.certificate;
    };
    assert.equal(await whoami({}), undefined);
    const trusted = (await whoami(await identityOf(alice))) ?? {};
    assert.partialDeepStrictEqual(trusted, { authorized: true, subject: { CN: "alice" } });
    const stranger = (await whoami(await identityOf(mallory))) ?? {};
    assert.partialDeepStrictEqual(stranger, {
      authorized: false,
      error: "DEPTH_ZERO_SELF_SIGNED_CERT",
      subject: { CN: "mallory" },
    });
  });
});

describe("TLS clients", needs("openssl", "curl", "nginx"), () => {
  it("curl verifies the certificate on a Unix socket", async (t) => {
    const { socketPath } = await serveTls(t);
    const { stdout } = await run(findTool("curl") ?? "curl", [
      "-sS", "--cacert", authority.cert, "--unix-socket", socketPath,
      "-w", "%{http_version}", "https://localhost/",
    ]); // prettier-ignore
    assert.match(stdout, /^hello\n/);
  });

  it("openssl s_client sees protocol, ALPN and chain, and resumes its session in any worker", async (t) => {
    const { socketPath, dir } = await serveTls(t, "", ["--workers", "2"]);
    const session = join(dir, "session");
    const args = ["s_client", "-unix", socketPath, "-CAfile", authority.cert, "-tls1_2"];
    const connect = async (...more: readonly string[]): Promise<string> => {
      const client = run(findTool("openssl") ?? "openssl", [...args, ...more]);
      client.child.stdin?.end("Q\n");
      return (await client).stdout;
    };
    const first = await connect("-alpn", "http/1.1", "-sess_out", session);
    assert.match(first, /ALPN protocol: http\/1\.1/);
    assert.match(first, /Verify return code: 0 \(ok\)/);
    for (let attempt = 0; attempt < 8; attempt += 1) {
      assert.match(await connect("-sess_in", session), /^Reused, TLSv1\.2/m);
    }
  });

  it("nginx verifies us and proves itself: proxy_pass https://unix:", async (t) => {
    const { socketPath, dir } = await serveTls(t, `&tls-ca=${authority.cert}`);
    const location = `
      proxy_ssl_trusted_certificate ${authority.cert};
      proxy_ssl_verify on;
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;
      proxy_ssl_certificate ${alice.cert};
      proxy_ssl_certificate_key ${alice.key};`;
    const { port } = await startNginx(t, {
      dir,
      socket: socketPath,
      proxyPass: "https://outrigger",
      location,
    });
    for (let times = 0; times < 20; times += 1) {
      const response = await fetch(`http://127.0.0.1:${port}/whoami`);
      assert.equal(response.status, 200);
      const context: unknown = await response.json();
      assert.partialDeepStrictEqual(context, {
        // What its client speaks, as nginx says.
        scheme: "http",
        client: { address: "127.0.0.1" },
        tls: { serverName: "localhost", certificate: { authorized: true } },
      });
    }
  });
});

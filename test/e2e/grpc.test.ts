import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import grpc from "@grpc/grpc-js";
import { eventually } from "../helpers/deadline.ts";
import { GrpcCalls } from "../helpers/grpc-calls.ts";
import { GrpcLoad } from "../helpers/grpc-load.ts";
import { startHaproxy } from "../helpers/haproxy.ts";
import { errorLines, everReady, logged } from "../helpers/log-count.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx, type Nginx } from "../helpers/nginx.ts";
import { portOf } from "../helpers/program.ts";
import type { Scope } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { assertGone, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
/** From the fixtures. */
const APP = "../../apps/grpc.mjs";
const TOTAL = "http_server_request_duration_seconds_count";

interface GrpcServing extends Serving {
  /** Lets calls end that wait. */
  readonly go: () => Promise<void>;
}

async function serveGrpc(scope: Scope, args: readonly string[] = []): Promise<GrpcServing> {
  const go = join(await tempDir(scope), "go");
  const serving = await serveApp(scope, APP, { args, env: { GO: go } });
  return { ...serving, go: () => writeFile(go, "") };
}

/** What the documentation has in nginx's location for gRPC. */
async function documentedLocation(): Promise<string> {
  const apps = await readFile(new URL("../../docs/apps.md", import.meta.url), "utf8");
  const [, location] = /<!-- grpc:start -->.*?location \/ \{\n(.*?)\n {4}\}/s.exec(apps) ?? [];
  if (location === undefined) throw new Error("docs/apps.md has no location for gRPC");
  return location;
}

/** nginx as the documentation has it for gRPC. */
async function startGrpcNginx(scope: Scope, { dir, socketPath }: Serving): Promise<Nginx> {
  return await startNginx(scope, {
    dir,
    socket: socketPath,
    listenOptions: "http2",
    // Clients of the test have no second try when nginx sends them away after 1,000 calls.
    server: `keepalive_requests 1000000; location /test.Calls/ {\n${await documentedLocation()}\n}`,
  });
}

/** Every kind of call, as a gRPC server answers it by itself. */
async function checkCalls(calls: GrpcCalls): Promise<void> {
  const hello = await calls.unary("Hello", "world");
  assert.deepEqual(hello.texts, ["hello world"]);
  assert.match(String(hello.trailers["x-request-id"]), /^[\da-f]{16}-\w+$/);
  await assert.rejects(calls.unary("Hello", "nobody"), {
    code: grpc.status.NOT_FOUND,
    details: "There is nobody",
  });
  assert.equal(await calls.join("a", "b", "c"), "a b c");
  const { texts, trailers } = await calls.openStream("Split", "d e f").end();
  assert.deepEqual([texts, trailers["x-words"]], [["d", "e", "f"], ["3"]]);
  const both = calls.openBoth();
  for (const [index, text] of ["g", "h"].entries()) {
    // The second is sent when the answer to the first has come.
    both.say(text);
    await both.heard(index + 1);
  }
  const large = "x".repeat(1_000_000);
  both.say(large);
  assert.deepEqual((await both.end()).texts, ["g", "h", large]);
  await assert.rejects(calls.unary("Hang", "too long", 300), {
    code: grpc.status.DEADLINE_EXCEEDED,
  });
}

/** Calls that checkCalls makes. */
const CALLS = 6;

const WORKERS = 2;
const MANY = ["--workers", String(WORKERS), "--min-ready", String(WORKERS), "--access-log", "off"];

/** Replaces all workers again and again: calls that are made meanwhile go well, and streams that were open go on. */
async function checkReloads(serving: GrpcServing, channels: readonly GrpcCalls[]): Promise<void> {
  const [HUPS, CLIENTS] = [2, 3];
  const { program } = serving;
  await everReady(program, WORKERS);
  const load = new GrpcLoad(channels, CLIENTS);
  const open = channels.map((calls) => calls.openStream("Wait", ""));
  await Promise.all(open.map((call) => call.heard(1)));
  for (let hups = 1; hups <= HUPS; hups += 1) {
    program.signal("SIGHUP");
    await logged(program, "reload done", hups);
    await load.answers(50);
  }
  await serving.go();
  for (const call of open) assert.deepEqual((await call.end()).texts, ["first\n", "last\n"]);
  await load.stop();
  assert.deepEqual(load.failures, []);
  await logged(program, "worker exited", WORKERS * HUPS);
  assert.deepEqual(errorLines(program), []);
  const forced = { reason: "forced" };
  assert.equal(await serving.sum("outrigger_endpoint_connections_closed_total", forced), 0);
}

describe("an unmodified gRPC server", () => {
  for (const kind of ["unix", "tcp"] as const) {
    it(`answers every kind of call, with deadlines and trailers, over ${kind}`, async (t) => {
      const socketPath = join(await tempDir(t), "s");
      const { program, sum } = await serveGrpc(t, [
        ...["--listen", `${socketPath}?name=unix`],
        ...["--listen", "127.0.0.1:0?name=tcp"],
      ]);
      const port = portOf(await program.address("tcp"));
      const target = kind === "unix" ? `unix:${socketPath}` : `127.0.0.1:${port}`;
      await checkCalls(new GrpcCalls(t, target));
      assert.equal((await program.line("cancelled"))["text"], "too long");
      const line = await program.line(({ path }) => path === "/test.Calls/Split");
      assert.deepEqual([line["status"], line["endpoint"]], [200, kind]);
      const ended = async (): Promise<true | undefined> =>
        (await sum(TOTAL, { endpoint: kind })) === CALLS || undefined;
      await eventually(DEADLINE_MS, ended, "every call to be counted");
      assert.equal(await sum("outrigger_endpoint_requests_in_flight"), 0);
      assert.equal(await sum("outrigger_endpoint_connections_accepted_total"), 1);
      program.signal("SIGTERM");
      assert.deepEqual(await program.exit(), STOPPED);
      assert.deepEqual(errorLines(program), []);
    });
  }

  it("answers 505 to HTTP/1.1, which it does not speak", async (t) => {
    const { request, socketPath } = await serveGrpc(t);
    assert.equal((await request({})).status, 505);
    assert.deepEqual((await new GrpcCalls(t, `unix:${socketPath}`).unary("Hello", "you")).texts, [
      "hello you",
    ]);
  });

  it("finishes a stream that is open when it is told to stop", async (t) => {
    const serving = await serveGrpc(t);
    const { program } = serving;
    const calls = new GrpcCalls(t, `unix:${serving.socketPath}`);
    const [wait, both] = [calls.openStream("Wait", ""), calls.openBoth()];
    both.say("a");
    await Promise.all([wait.heard(1), both.heard(1)]);
    program.signal("SIGTERM");
    await program.line("endpoints withdrawn");
    both.say("b");
    await both.heard(2);
    await serving.go();
    assert.deepEqual((await wait.end()).texts, ["first\n", "last\n"]);
    assert.deepEqual((await both.end()).texts, ["a", "b"]);
    assert.deepEqual(await program.exit(), STOPPED);
    await assertGone(serving);
  });
});

describe("a gRPC server behind nginx", needs("nginx"), () => {
  it("answers every kind of call, with deadlines and trailers", async (t) => {
    const serving = await serveGrpc(t);
    const { program, sum } = serving;
    const { port } = await startGrpcNginx(t, serving);
    await checkCalls(new GrpcCalls(t, `127.0.0.1:${port}`));
    assert.equal((await program.line("cancelled"))["text"], "too long");
    const ended = async (): Promise<true | undefined> => (await sum(TOTAL)) === CALLS || undefined;
    await eventually(DEADLINE_MS, ended, "every call to be counted");
    const line = await program.line(({ path }) => path === "/test.Calls/Split");
    assert.equal(line["client"], "127.0.0.1");
  });

  it("loses no call in rolling reloads under load", async (t) => {
    const serving = await serveGrpc(t, MANY);
    const nginx = await startGrpcNginx(t, serving);
    const target = `127.0.0.1:${nginx.port}`;
    await checkReloads(serving, [
      new GrpcCalls(t, target),
      new GrpcCalls(t, target),
      // The library gives up calls that it has not sent yet when a GOAWAY comes, and makes them again.
      new GrpcCalls(t, `unix:${serving.socketPath}`, { retries: true }),
    ]);
    assert.doesNotMatch(await nginx.errorLog(), /upstream/);
  });
});

describe("a gRPC server behind HAProxy", needs("haproxy"), () => {
  for (const kind of ["unix", "tcp"] as const) {
    it(`answers every kind of call and loses none in rolling reloads, over ${kind}`, async (t) => {
      const socketPath = join(await tempDir(t), "s");
      const serving = await serveGrpc(t, [
        ...MANY,
        ...["--listen", kind === "unix" ? socketPath : "127.0.0.1:0"],
      ]);
      const { program, dir } = serving;
      const address = kind === "unix" ? `unix@${socketPath}` : await program.address();
      const port = await startHaproxy(t, { dir, mode: "http", server: `${address} proto h2` });
      const target = `127.0.0.1:${port}`;
      await checkCalls(new GrpcCalls(t, target));
      await checkReloads(serving, [new GrpcCalls(t, target), new GrpcCalls(t, target)]);
    });
  }
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, stat, writeFile } from "node:fs/promises";
import net, { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { defineApp, getContext, serve, type ServeOptions, type Server } from "../../src/index.ts";
import { makeCertificate } from "../helpers/certificates.ts";
import { needs } from "../helpers/needs.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { request, stream } from "../helpers/http.ts";
import { startGroup, type ExitResult } from "../helpers/process-group.ts";
import { portOf } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { fixture } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const LOOPBACK = "127.0.0.1";
const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

const hello: ServeOptions["app"] = defineApp({ fetch: () => new Response("hello") });

async function serveIn(scope: Scope, options: Partial<ServeOptions> = {}): Promise<Server> {
  const server = await serve({ app: hello, listen: { host: LOOPBACK, port: 0 }, ...options });
  onEnd(scope, () => server.close({ gracePeriod: 0 }));
  return server;
}

function portAt(server: Server, endpoint = "app"): number {
  return portOf(server.addresses[endpoint] ?? "");
}

/** An app whose response ends when the test says so. */
function createHolding(): { readonly app: ServeOptions["app"]; readonly end: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    app: {
      fetch: () =>
        new Response(
          ReadableStream.from(
            (async function* hold() {
              yield new TextEncoder().encode("begun ");
              await promise;
              yield new TextEncoder().encode("ended");
            })(),
          ),
        ),
    },
    end: resolve,
  };
}

describe("serve", () => {
  it("speaks TLS where it is given a certificate", needs("openssl"), async (t) => {
    const dir = await tempDir(t);
    const pair = await makeCertificate({ dir, name: "a&b" });
    const server = await serveIn(t, { listen: { host: LOOPBACK, port: 0, tls: pair } });
    const socket = tls.connect({ port: portAt(server), rejectUnauthorized: false });
    onEnd(t, () => socket.destroy());
    socket.write(GET);
    const [answer] = await within(DEADLINE_MS, once(socket, "data"), "an answer");
    assert.match(String(answer), /^HTTP\/1\.1 200 /);
    assert.equal(socket.getPeerCertificate().subject.CN, "a&b");
  });

  it("resolves when every endpoint answers, and says where", async (t) => {
    const dir = await tempDir(t);
    const socket = join(dir, "app.sock");
    const server = await serveIn(t, {
      listen: [
        { host: LOOPBACK, port: 0, name: "direct" },
        { socket, socketMode: 0o600, name: "front" },
      ],
      ops: { port: 0 },
    });
    assert.equal(server.phase, "ready");
    assert.deepEqual(Object.keys(server.addresses), ["direct", "front"]);
    assert.equal(server.addresses["front"], socket);
    assert.equal((await stat(socket)).mode & 0o777, 0o600);
    assert.equal((await request({ socketPath: socket })).text(), "hello");
    assert.equal((await request({ port: portAt(server, "direct") })).text(), "hello");
    assert.equal(server.ops?.host, LOOPBACK);
    assert.equal((await request({ port: server.ops?.port ?? 0, path: "/readyz" })).status, 200);
    const metrics = await request({ port: server.ops?.port ?? 0, path: "/metrics" });
    assert.match(
      metrics.text(),
      /outrigger_endpoint_connections_accepted_total\{endpoint="front"\} 1/,
    );
  });

  it("takes a socket path for a path, whatever it holds", async (t) => {
    for (const name of ["a?mode=0600", "%3F", "?"]) {
      const socket = join(await tempDir(t), name);
      const server = await serveIn(t, { listen: { socket } });
      assert.deepEqual(server.addresses, { app: socket });
      assert.equal((await stat(socket)).mode & 0o777, 0o660);
      assert.equal((await request({ socketPath: socket })).text(), "hello");
    }
  });

  it("refuses a name that would go on as another option", async (t) => {
    const listen = { socket: join(await tempDir(t), "s"), name: "a&mode=0777" };
    await assert.rejects(serve({ app: hello, listen }), {
      code: "ERR_ENDPOINT",
      message: 'Cannot use name "a&mode=0777": it must not hold "&"',
    });
  });

  const apps: Record<string, ServeOptions["app"]> = {
    "a (req, res) handler": (_req: unknown, res: { end(text: string): void }) => res.end("hello"),
    "a { fetch } object": { fetch: () => new Response("hello") },
    "a path": fixture("named-handler.mjs"),
  };
  for (const [kind, app] of Object.entries(apps)) {
    it(`takes ${kind}`, async (t) => {
      const server = await serveIn(t, { app });
      assert.match((await request({ port: portAt(server) })).text(), /^hello/);
    });
  }

  it("gives the app its context", async (t) => {
    const app: ServeOptions["app"] = (req: never, res: { end(text: string): void }) =>
      res.end(JSON.stringify(getContext(req)));
    const server = await serveIn(t, { app, listen: { host: LOOPBACK, port: 0, name: "here" } });
    const port = portAt(server, "here");
    const context = (await request({ port })).json() as Record<string, { port?: number }>;
    assert.deepEqual([context["endpoint"], context["server"]], ["here", { host: LOOPBACK, port }]);
  });

  it("calls the hooks of a { fetch } app", async () => {
    const calls: string[] = [];
    const app = defineApp({
      fetch: () => new Response(),
      startup: () => calls.push("startup"),
      shutdown: () => calls.push("shutdown"),
    });
    const server = await serve({ app, listen: { host: LOOPBACK, port: 0 } });
    assert.deepEqual(calls, ["startup"]);
    await server.close();
    assert.deepEqual(calls, ["startup", "shutdown"]);
  });

  it("leaves alone what a module lets listen by itself", async (t) => {
    const path = join(await tempDir(t), "s");
    const readListen = (): unknown => Reflect.get(net.Server.prototype, "listen");
    const before = readListen();
    const app = join(await tempDir(t), "app.mjs");
    await writeFile(app, "export const answer = 42;");
    const refused = /Cannot find an app among the exports \(answer\): expected/;
    await assert.rejects(serve({ app, listen: path }), refused);
    assert.equal(readListen(), before);
    assert.notEqual(process.argv[1], app);
  });

  it("gives the app as long as it is told to start", async (t) => {
    const path = join(await tempDir(t), "s");
    const started = serve({
      app: { fetch: () => new Response(), startup: () => new Promise(() => {}) },
      listen: path,
      startTimeout: "100ms",
    });
    const message = 'Cannot start app "app": its startup hook did not end within 100ms';
    await assert.rejects(started, { code: "ERR_WORKER", message });
  });

  it("counts the open connections of each endpoint", async (t) => {
    const dir = await tempDir(t);
    const socket = join(dir, "s");
    const server = await serveIn(t, {
      listen: [
        { host: LOOPBACK, port: 0, name: "direct" },
        { socket, name: "front" },
      ],
    });
    assert.deepEqual(server.connections, { direct: 0, front: 0 });
    const client = await RawClient.open(t, { path: socket });
    await client.send(GET).until(/hello/);
    assert.deepEqual(server.connections, { direct: 0, front: 1 });
    await client.close();
    const gone = (): true | undefined => (server.connections["front"] === 0 ? true : undefined);
    await eventually(DEADLINE_MS, gone, "the count to fall");
  });

  it("takes no signals", async (t) => {
    const signals = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR2"] as const;
    const count = (): number[] => signals.map((signal) => process.listenerCount(signal));
    const before = count();
    await serveIn(t);
    assert.deepEqual(count(), before);
  });

  it("leaves no listener on the process", async () => {
    const events = ["exit", "beforeExit", "uncaughtException", "unhandledRejection", "warning"];
    const count = (): number[] => events.map((event) => process.listenerCount(event));
    const before = count();
    const server = await serve({ app: hello, listen: { host: LOOPBACK, port: 0 } });
    await server.close();
    assert.deepEqual(count(), before);
  });

  it("serves several apps side by side", async (t) => {
    const first = await serveIn(t);
    const second = await serveIn(t, { app: { fetch: () => new Response("second") } });
    assert.equal((await request({ port: portAt(first) })).text(), "hello");
    assert.equal((await request({ port: portAt(second) })).text(), "second");
  });
});

describe("serve with something wrong", () => {
  const wrong: Record<string, readonly [Partial<ServeOptions>, RegExp]> = {
    "an app that is none": [{ app: 42 }, /Cannot find an app/],
    "a failing startup": [
      { app: { fetch: () => new Response(), startup: () => Promise.reject(new Error("no db")) } },
      /no db/,
    ],
    "a module that is missing": [{ app: "./no-such-app.js" }, /Cannot find app/],
    "a port out of range": [{ listen: { host: LOOPBACK, port: 99_999 } }, /99999/],
    "a duration that is none": [{ gracePeriod: "soon" }, /soon/],
  };
  for (const [what, [options, message]] of Object.entries(wrong)) {
    it(`rejects with a sentence for ${what}`, async (t) => {
      const dir = await tempDir(t);
      const listen = options.listen ?? { socket: join(dir, "s") };
      await assert.rejects(serve({ app: hello, ...options, listen }), (error: Error) => {
        assert.equal(error.name, "OutriggerError");
        assert.match(error.message, message);
        return true;
      });
      assert.deepEqual(await readdir(dir), []);
    });
  }

  it("leaves nothing bound when one of two endpoints is busy", async (t) => {
    const dir = await tempDir(t);
    const socket = join(dir, "s");
    const busy = createServer().listen(0, LOOPBACK);
    await once(busy, "listening");
    onEnd(t, () => busy.close());
    const { port = 0 } = busy.address() as { port?: number };
    const listen = [{ socket }, { host: LOOPBACK, port }];
    await assert.rejects(serve({ app: hello, listen }), { code: "ERR_LISTEN" });
    assert.deepEqual(await readdir(dir), []);
    // The path and its lock are free again.
    const server = await serveIn(t, { listen: { socket } });
    assert.equal(server.phase, "ready");
  });
});

describe("serve with an endpoint that cannot listen", () => {
  it("accepts on no other, and asks the app for its health no more", async () => {
    const placeholder = await serve({ app: hello, listen: { host: LOOPBACK, port: 0 } });
    const port = portAt(placeholder);
    await placeholder.close();
    let asked = 0;
    const app = defineApp({ fetch: () => new Response("hello"), health: () => (asked += 1) });
    const listen = [
      { host: LOOPBACK, port, name: "first" },
      // Both can be bound, but only one can listen.
      { host: "0.0.0.0", port, name: "second" },
    ];
    await assert.rejects(serve({ app, listen }), /EADDRINUSE|in use/);
    await assert.rejects(request({ port }), { code: "ECONNREFUSED" });
    const askedBefore = asked;
    await delay(1_500);
    assert.equal(asked, askedBefore);
  });
});

describe("Server.close", () => {
  it("finishes what is in flight, then removes the socket file", async (t) => {
    const dir = await tempDir(t);
    const socket = join(dir, "s");
    const { app, end } = createHolding();
    const server = await serveIn(t, { app, listen: { socket } });
    const response = await stream({ socketPath: socket });
    response.setEncoding("utf8");
    const [begun] = await within(DEADLINE_MS, once(response, "data"), "the first chunk");
    const closing = server.close();
    assert.equal(server.phase, "draining");
    end();
    const rest = await within(DEADLINE_MS, response.toArray(), "the rest");
    assert.deepEqual([begun, rest.join("")], ["begun ", "ended"]);
    assert.deepEqual(await within(DEADLINE_MS, closing, "the close"), { forced: 0, failed: false });
    assert.equal(server.phase, "stopped");
    assert.deepEqual(await readdir(dir), []);
  });

  it("cuts what is left when the grace period is over, and says so", async (t) => {
    const { app } = createHolding();
    const server = await serveIn(t, { app });
    const response = await stream({ port: portAt(server) });
    const cut = within(DEADLINE_MS, response.toArray(), "the cut");
    cut.catch(() => {});
    assert.deepEqual(await server.close({ gracePeriod: 50 }), { forced: 1, failed: false });
    await assert.rejects(cut, { code: "ECONNRESET" });
  });

  it("may be called again to shorten the grace period", async (t) => {
    const { app } = createHolding();
    const server = await serveIn(t, { app });
    const response = await stream({ port: portAt(server) });
    response.on("error", () => {});
    const patient = server.close({ gracePeriod: "1h" });
    const impatient = server.close({ gracePeriod: 0 });
    const outcomes = await within(DEADLINE_MS, Promise.all([patient, impatient]), "both closes");
    assert.deepEqual(outcomes, [
      { forced: 1, failed: false },
      { forced: 1, failed: false },
    ]);
    assert.deepEqual(await server.close(), { forced: 1, failed: false });
  });

  it("tells of each step by an event, once", async () => {
    const server = await serve({ app: hello, listen: { host: LOOPBACK, port: 0 } });
    const events: unknown[] = [];
    server.on("draining", () => events.push("draining"));
    server.on("stopped", (outcome) => events.push(outcome));
    const stopped = once(server, "stopped");
    await Promise.all([server.close(), server.close()]);
    await within(DEADLINE_MS, stopped, "the event");
    assert.deepEqual(events, ["draining", { forced: 0, failed: false }]);
  });

  it("frees address and ops port", async (t) => {
    const server = await serve({
      app: hello,
      listen: { host: LOOPBACK, port: 0 },
      ops: { port: 0 },
    });
    const ops = server.ops?.port ?? 0;
    await server.close();
    await assert.rejects(request({ port: portAt(server) }), { code: "ECONNREFUSED" });
    await assert.rejects(request({ port: ops }), { code: "ECONNREFUSED" });
    await serveIn(t, { listen: { host: LOOPBACK, port: portAt(server) } });
  });
});

describe("a program that embeds us", () => {
  const EMBED = fileURLToPath(new URL("../fixtures/embed.mjs", import.meta.url));

  async function run(
    scope: Scope,
    ending: string,
    signal?: NodeJS.Signals,
  ): Promise<{ readonly exit: ExitResult; readonly left: readonly string[] }> {
    const dir = await tempDir(scope);
    const socket = join(dir, "s");
    const group = startGroup(scope, process.execPath, { args: [EMBED, socket, ending] });
    group.stderr.resume();
    await within(DEADLINE_MS, once(group.stdout, "data"), "the program to serve");
    group.stdout.resume();
    if (signal !== undefined) {
      assert.ok(existsSync(socket));
      group.signal(signal);
    }
    const exit = await within(DEADLINE_MS, group.closed, "the program to end");
    return { exit, left: await readdir(dir) };
  }

  it("ends by itself after a close: no handle is kept", async (t) => {
    assert.deepEqual(await run(t, "close"), { exit: { code: 0, signal: null }, left: [] });
  });

  it("leaves no socket file when it calls process.exit()", async (t) => {
    assert.deepEqual(await run(t, "exit"), { exit: { code: 9, signal: null }, left: [] });
  });

  it("leaves no socket file when it dies of an uncaught error", async (t) => {
    assert.deepEqual(await run(t, "throw"), { exit: { code: 1, signal: null }, left: [] });
  });

  it("is ended by a signal as if we were not there", async (t) => {
    const { exit } = await run(t, "wait", "SIGTERM");
    assert.deepEqual(exit, { code: null, signal: "SIGTERM" });
  });
});

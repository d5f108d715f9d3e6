import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { within } from "../helpers/deadline.ts";
import { readResponse, request, stream, type RequestOptions } from "../helpers/http.ts";
import { portOf, startProgram, type Program } from "../helpers/program.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
/** Of a whole group: frameworks take their time to load. */
const TIMEOUT = { timeout: 240_000 };
const FORWARDED = "203.0.113.7";

/** An app under test/apps, which knows nothing of us, as it is served. */
interface Framework {
  readonly program: Program;
  readonly socketPath: string;
  readonly port: number;
  readonly request: (options: RequestOptions) => Promise<string>;
  /** Lets answers end that wait. */
  readonly go: () => Promise<void>;
}

async function serveFramework(scope: Scope, name: string): Promise<Framework> {
  const dir = await tempDir(scope);
  const [socketPath, go] = [join(dir, "app.sock"), join(dir, "go")];
  const app = fileURLToPath(new URL(`../apps/${name}`, import.meta.url));
  const endpoints = ["--listen", socketPath, "--listen", "127.0.0.1:0?name=tcp"];
  const program = startProgram(scope, {
    args: [app, ...endpoints, "--ops", "off", "--workers", "1", "--log-level", "info"],
    env: { GO: go },
  });
  const port = portOf(await program.address("tcp"));
  return {
    program,
    socketPath,
    port,
    request: async (options) => {
      const response = await request({ socketPath, ...options });
      assert.ok(response.status === 200 || response.status === 201, response.text());
      return response.text();
    },
    go: () => writeFile(go, ""),
  };
}

async function stop(program: Program): Promise<void> {
  assert.deepEqual(await program.exit(), { code: 0, signal: null });
  assert.deepEqual(
    program.lines.filter(({ level }) => Number(level) >= 50),
    [],
    "no error was logged",
  );
}

/** Where each sees the client when nginx on the socket names it: by a setting of its own, or the peer on TCP. */
const SITES: Record<string, "setting" | "peer"> = {
  "express4.cjs": "setting",
  "express5.cjs": "setting",
  "koa.mjs": "setting",
  "fastify.mjs": "setting",
  "nest.mjs": "setting",
  "h3.mjs": "setting",
  "hono.mjs": "peer",
  "polka.cjs": "peer",
  "connect.cjs": "peer",
};

const json = (value: unknown): Pick<RequestOptions, "method" | "headers" | "body"> => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

describe("an unmodified app of a framework", TIMEOUT, () => {
  for (const [file, client] of Object.entries(SITES)) {
    it(`routes, parses bodies, streams, serves files, knows its client and finishes: ${file}`, async (t) => {
      const app = await serveFramework(t, file);
      assert.equal(await app.request({ path: "/hello/world" }), "hello world");
      assert.deepEqual(JSON.parse(await app.request({ path: "/json", ...json({ value: 42 }) })), {
        got: 42,
      });
      assert.equal(await app.request({ path: "/static/file.txt" }), "a static file\n");
      if (client === "setting") {
        const headers = { "x-forwarded-for": FORWARDED };
        assert.equal(await app.request({ path: "/ip", headers }), FORWARDED);
      } else {
        const response = await request({ port: app.port, path: "/ip" });
        assert.equal(response.text(), "127.0.0.1");
      }
      await assertStreamSurvivesStop(app, { path: "/stream" }, ["first\n", "last\n"]);
    });
  }
});

const graphql = (query: string): RequestOptions => ({ path: "/graphql", ...json({ query }) });

describe("an unmodified API server", TIMEOUT, () => {
  it("of tRPC routes, parses bodies, streams, knows its client and finishes", async (t) => {
    const app = await serveFramework(t, "trpc.mjs");
    const hello = await app.request({ path: `/hello?input=${encodeURIComponent('"world"')}` });
    assert.match(hello, /"data":"hello world"/);
    assert.match(await app.request({ path: "/json", ...json({ value: 42 }) }), /"got":42/);
    assert.match((await request({ port: app.port, path: "/ip" })).text(), /"data":"127\.0\.0\.1"/);
    await assertStreamSurvivesStop(app, { path: "/stream" }, ["first", "last"]);
  });

  it("of GraphQL Yoga routes, parses bodies, streams, knows its client and finishes", async (t) => {
    const app = await serveFramework(t, "yoga.mjs");
    assert.match(await app.request(graphql('{ hello(name: "world") }')), /"hello":"hello world"/);
    assert.match(await app.request(graphql("mutation { json(value: 42) }")), /"json":42/);
    const { text } = await request({ port: app.port, ...graphql("{ ip }") });
    assert.match(text(), /"ip":"127\.0\.0\.1"/);
    const subscription = graphql("subscription { stream }");
    const headers = { ...subscription.headers, accept: "text/event-stream" };
    await assertStreamSurvivesStop(app, { ...subscription, headers }, ["first", "last"]);
  });

  it("of Apollo routes, parses bodies, knows its client and stops", async (t) => {
    const app = await serveFramework(t, "apollo.mjs");
    const root = (query: string): RequestOptions => ({ ...graphql(query), path: "/" });
    assert.match(await app.request(root('{ hello(name: "world") }')), /"hello":"hello world"/);
    assert.match(await app.request(root("mutation { json(value: 42) }")), /"json":42/);
    const { text } = await request({ port: app.port, ...root("{ ip }") });
    assert.match(text(), /"ip":"127\.0\.0\.1"/);
    app.program.signal("SIGTERM");
    await stop(app.program);
  });
});

describe("an unmodified app of WebSockets", TIMEOUT, () => {
  it("of ws answers, streams, knows its client and finishes", async (t) => {
    const app = await serveFramework(t, "ws.mjs");
    const socket = new WebSocket(`ws://127.0.0.1:${app.port}`);
    onEnd(t, () => socket.terminate());
    await within(DEADLINE_MS, once(socket, "open"), "the WebSocket to open");
    const ask = async (message: string): Promise<string> => {
      socket.send(message);
      const [answer] = await within(DEADLINE_MS, once(socket, "message"), "an answer");
      return String(answer);
    };
    assert.equal(await ask("world"), "hello world");
    assert.equal(await ask("ip"), "127.0.0.1");
    assert.equal(await ask("stream"), "first\n");
    app.program.signal("SIGTERM");
    await app.program.line("endpoints withdrawn");
    const last = once(socket, "message");
    await app.go();
    const [answer] = await within(DEADLINE_MS, last, "the last part");
    assert.equal(String(answer), "last\n");
    await stop(app.program);
  });

  for (const transport of ["polling", "websocket"] as const) {
    it(`of Socket.IO answers, streams, knows its client, serves files and finishes by ${transport}`, async (t) => {
      const app = await serveFramework(t, "socket-io.cjs");
      const socket = io(`http://127.0.0.1:${app.port}`, { transports: [transport], reconnection: false }); // prettier-ignore
      onEnd(t, () => socket.disconnect());
      const ask = async (event: string, ...args: string[]): Promise<unknown> =>
        await within(DEADLINE_MS, socket.emitWithAck(event, ...args), `an answer to ${event}`);
      const part = (): Promise<unknown> =>
        within(DEADLINE_MS, new Promise((resolve) => socket.once("part", resolve)), "a part");
      assert.equal(await ask("hello", "world"), "hello world");
      assert.match(String(await ask("ip")), /127\.0\.0\.1/);
      assert.equal(await app.request({ path: "/static/file.txt" }), "a static file\n");
      const first = part();
      socket.emit("stream");
      assert.equal(await first, "first\n");
      const last = part();
      // A drain ends its accepting; a poll is a request of its own, and needs a connection that is open.
      if (transport === "websocket") {
        app.program.signal("SIGTERM");
        await app.program.line("endpoints withdrawn");
      }
      await app.go();
      assert.equal(await last, "last\n");
      if (transport === "polling") app.program.signal("SIGTERM");
      await stop(app.program);
    });
  }
});

/** An answer that has begun when the program is told to stop comes to its end. */
async function assertStreamSurvivesStop(
  { program, socketPath, go }: Framework,
  options: RequestOptions,
  [first, last]: readonly [string, string],
): Promise<void> {
  const message = await stream({ socketPath, ...options });
  assert.match(await readFirst(message), new RegExp(first));
  program.signal("SIGTERM");
  await program.line("endpoints withdrawn");
  await go();
  const rest = (await within(DEADLINE_MS, readResponse(message), "the last part")).text();
  assert.match(rest, new RegExp(last));
  await stop(program);
}

/** What has come of a body before the rest of it was written. */
async function readFirst(message: IncomingMessage): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  const onData = (bytes: Buffer): void => {
    text += bytes.toString();
    if (!text.includes("first")) return;
    message.off("data", onData).pause();
    resolve(text);
  };
  message.on("data", onData);
  return await within(DEADLINE_MS, promise, "the first part");
}

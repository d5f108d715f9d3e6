import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { within } from "../helpers/deadline.ts";
import {
  checkSite,
  checkStopped,
  checkStreamSurvivesStop,
  postJson,
  serveFramework,
  type Framework,
} from "../helpers/framework.ts";
import { request, type RequestOptions } from "../helpers/http.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";

const DEADLINE_MS = 15_000;
/** Of a whole group: frameworks take their time to load. */
const TIMEOUT = { timeout: 240_000 };

async function serveApp(scope: Scope, name: string): Promise<Framework> {
  const app = fileURLToPath(new URL(`../apps/${name}`, import.meta.url));
  return await serveFramework(scope, { app });
}

/** Apps under test/apps, and where each finds its client. */
const SITES = {
  "express4.cjs": "forwarded",
  "express5.cjs": "forwarded",
  "koa.mjs": "forwarded",
  "fastify.mjs": "forwarded",
  "nest.mjs": "forwarded",
  "h3.mjs": "forwarded",
  "hono.mjs": "peer",
  "polka.cjs": "peer",
  "connect.cjs": "peer",
} as const;

describe("an unmodified app of a framework", TIMEOUT, () => {
  for (const [file, client] of Object.entries(SITES)) {
    it(`routes, parses bodies, streams, serves files, knows its client and finishes: ${file}`, async (t) => {
      await checkSite(await serveApp(t, file), client);
    });
  }
});

const graphql = (query: string): RequestOptions => ({ path: "/graphql", ...postJson({ query }) });

describe("an unmodified API server", TIMEOUT, () => {
  it("of tRPC routes, parses bodies, streams, knows its client and finishes", async (t) => {
    const app = await serveApp(t, "trpc.mjs");
    const hello = await app.request({ path: `/hello?input=${encodeURIComponent('"world"')}` });
    assert.match(hello, /"data":"hello world"/);
    assert.match(await app.request({ path: "/json", ...postJson({ value: 42 }) }), /"got":42/);
    assert.match((await request({ port: app.port, path: "/ip" })).text(), /"data":"127\.0\.0\.1"/);
    await checkStreamSurvivesStop(app, { path: "/stream" }, ["first", "last"]);
  });

  it("of GraphQL Yoga routes, parses bodies, streams, knows its client and finishes", async (t) => {
    const app = await serveApp(t, "yoga.mjs");
    assert.match(await app.request(graphql('{ hello(name: "world") }')), /"hello":"hello world"/);
    assert.match(await app.request(graphql("mutation { json(value: 42) }")), /"json":42/);
    const { text } = await request({ port: app.port, ...graphql("{ ip }") });
    assert.match(text(), /"ip":"127\.0\.0\.1"/);
    const subscription = graphql("subscription { stream }");
    const headers = { ...subscription.headers, accept: "text/event-stream" };
    await checkStreamSurvivesStop(app, { ...subscription, headers }, ["first", "last"]);
  });

  it("of Apollo routes, parses bodies, knows its client and stops", async (t) => {
    const app = await serveApp(t, "apollo.mjs");
    const root = (query: string): RequestOptions => ({ ...graphql(query), path: "/" });
    assert.match(await app.request(root('{ hello(name: "world") }')), /"hello":"hello world"/);
    assert.match(await app.request(root("mutation { json(value: 42) }")), /"json":42/);
    const { text } = await request({ port: app.port, ...root("{ ip }") });
    assert.match(text(), /"ip":"127\.0\.0\.1"/);
    app.program.signal("SIGTERM");
    await checkStopped(app.program);
  });
});

describe("an unmodified app of WebSockets", TIMEOUT, () => {
  it("of ws answers, streams, knows its client and finishes", async (t) => {
    const app = await serveApp(t, "ws.mjs");
    const open = async (): Promise<WebSocket> => {
      const opened = new WebSocket(`ws://127.0.0.1:${app.port}`);
      onEnd(t, () => opened.terminate());
      await within(DEADLINE_MS, once(opened, "open"), "the WebSocket to open");
      return opened;
    };
    const socket = await open();
    const ask = async (message: string): Promise<string> => {
      socket.send(message);
      const [answer] = await within(DEADLINE_MS, once(socket, "message"), "an answer");
      return String(answer);
    };
    assert.equal(await ask("world"), "hello world");
    assert.equal(await ask("ip"), "127.0.0.1");
    assert.equal(await ask("stream"), "first\n");
    const last = once(socket, "message");
    await app.go();
    const [answer] = await within(DEADLINE_MS, last, "the last part");
    assert.equal(String(answer), "last\n");
    const closed = once(await open(), "close");
    app.program.signal("SIGTERM");
    const [code] = await within(DEADLINE_MS, closed, "the WebSocket to be closed");
    assert.equal(code, 1012);
    await checkStopped(app.program);
  });

  for (const transport of ["polling", "websocket"] as const) {
    it(`of Socket.IO answers, streams, knows its client, serves files and finishes by ${transport}`, async (t) => {
      const app = await serveApp(t, "socket-io.cjs");
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
      await app.go();
      assert.equal(await last, "last\n");
      // A drain closes WebSockets, and ends the accepting that every new poll needs.
      app.program.signal("SIGTERM");
      await checkStopped(app.program);
    });
  }
});

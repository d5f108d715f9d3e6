import assert from "node:assert/strict";
import { on, once } from "node:events";
import http from "node:http";
import { connect as connectSocket } from "node:net";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { io, type Socket } from "socket.io-client";
import { WebSocket } from "ws";
import { within } from "../helpers/deadline.ts";
import {
  checkSite,
  checkStopped,
  checkStreamSurvivesStop,
  CLIENT,
  FORWARDED,
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

/** What apps are told of a client that is on TCP itself. */
const PEER = "127.0.0.1";

/** Apps under test/apps whose framework has a setting for proxies, which is on. */
const TRUSTING = [
  "express4.cjs",
  "express5.cjs",
  "koa.mjs",
  "fastify.mjs",
  "nest.mjs",
  "h3.mjs",
] as const;
/** Those whose framework knows a client as its socket names it. */
const PLAIN = ["hono.mjs", "polka.cjs", "connect.cjs"] as const;

describe("an unmodified app of a framework", TIMEOUT, () => {
  for (const file of [...TRUSTING, ...PLAIN]) {
    it(`routes, parses bodies, streams, serves files, knows its client and finishes: ${file}`, async (t) => {
      await checkSite(await serveApp(t, file));
    });
  }

  for (const file of PLAIN) {
    it(`does not believe a peer that is not trusted: ${file}`, async (t) => {
      const { port } = await serveApp(t, file);
      assert.equal((await request({ port, path: "/ip", headers: FORWARDED })).text(), PEER);
    });
  }
});

/** An API server, and how its client speaks to it. */
interface Api {
  readonly file: string;
  readonly hello: RequestOptions;
  readonly json: RequestOptions;
  readonly ip: RequestOptions;
}

function graphqlApi(file: string, path: string): Api {
  const ask = (query: string): RequestOptions => ({ path, ...postJson({ query }) });
  return {
    file,
    hello: ask('{ hello(name: "world") }'),
    json: ask("mutation { json(value: 42) }"),
    ip: ask("{ ip }"),
  };
}

const TRPC: Api = {
  file: "trpc.mjs",
  hello: { path: `/trpc/hello?input=${encodeURIComponent('"world"')}` },
  json: { path: "/trpc/json", ...postJson({ value: 42 }) },
  ip: { path: "/trpc/ip" },
};
const YOGA = graphqlApi("yoga.mjs", "/graphql");
const APOLLO = graphqlApi("apollo.mjs", "/graphql");
const APOLLO_STANDALONE = graphqlApi("apollo-standalone.mjs", "/");

/** Serves it and asks it for all but what differs: streams and files. */
async function serveApi(scope: Scope, { file, hello, json, ip }: Api): Promise<Framework> {
  const app = await serveApp(scope, file);
  assert.match(await app.request(hello), /"hello world"/);
  assert.match(await app.request(json), /:42\b/);
  const forwarded = { ...ip, headers: { ...ip.headers, ...FORWARDED } };
  assert.match(await app.request(forwarded), /"203\.0\.113\.7"/);
  const { text } = await request({ port: app.port, ...forwarded });
  assert.match(text(), /"127\.0\.0\.1"/, "a peer that is not trusted is not believed");
  return app;
}

async function checkFile(app: Framework, path: string): Promise<void> {
  assert.equal(await app.request({ path }), "a static file\n");
}

describe("an unmodified API server", TIMEOUT, () => {
  it("of tRPC routes, parses bodies, streams, serves files, knows its client and finishes", async (t) => {
    const app = await serveApi(t, TRPC);
    await checkFile(app, "/file.txt");
    await checkStreamSurvivesStop(app, { path: "/trpc/stream" }, ["first", "last"]);
  });

  it("of GraphQL Yoga routes, parses bodies, streams, serves files, knows its client and finishes", async (t) => {
    const app = await serveApi(t, YOGA);
    await checkFile(app, "/file.txt");
    const subscription = postJson({ query: "subscription { stream }" });
    const headers = { ...subscription.headers, accept: "text/event-stream" };
    const options = { path: "/graphql", ...subscription, headers };
    await checkStreamSurvivesStop(app, options, ["first", "last"]);
  });

  it("of Apollo with Express routes, parses bodies, streams, serves files, knows its client and stops", async (t) => {
    const app = await serveApi(t, APOLLO);
    await checkFile(app, "/static/file.txt");
    const socket = await openSocket(t, { url: `ws+unix:${app.socketPath}:/graphql`, protocol: "graphql-transport-ws" }); // prettier-ignore
    const inbox = readMessages(socket);
    socket.send(JSON.stringify({ type: "connection_init" }));
    assert.match(await inbox(), /connection_ack/);
    const payload = { query: "subscription { stream }" };
    socket.send(JSON.stringify({ id: "1", type: "subscribe", payload }));
    assert.match(await inbox(), /"stream":"first/);
    await app.go();
    assert.match(await inbox(), /"stream":"last/);
    assert.match(await inbox(), /"complete"/);
    await checkSocketClosedInStop(app, socket);
  });

  it("of Apollo alone routes, parses bodies, knows its client and stops", async (t) => {
    const app = await serveApi(t, APOLLO_STANDALONE);
    app.program.signal("SIGTERM");
    await checkStopped(app.program);
  });
});

describe("an unmodified app of WebSockets", TIMEOUT, () => {
  for (const [file, path] of [
    ["ws.mjs", "/socket"],
    ["ws-alone.mjs", "/"],
  ] as const) {
    it(`of ws answers, streams, knows its client and finishes: ${file}`, async (t) => {
      const app = await serveApp(t, file);
      const socket = await openSocket(t, { url: `ws+unix:${app.socketPath}:${path}` });
      const inbox = readMessages(socket);
      const ask = async (message: string): Promise<string> => {
        socket.send(message);
        return await inbox();
      };
      assert.equal(await ask("world"), "hello world");
      assert.equal(await ask("ip"), CLIENT);
      const untrusted = await openSocket(t, { url: `ws://127.0.0.1:${app.port}${path}` });
      const answer = readMessages(untrusted);
      untrusted.send("ip");
      assert.equal(await answer(), PEER);
      assert.equal(await ask("stream"), "first\n");
      await app.go();
      assert.equal(await inbox(), "last\n");
      await checkSocketClosedInStop(app, untrusted);
    });
  }

  it("of ws serves files beside them", async (t) => {
    const app = await serveApp(t, "ws.mjs");
    await checkFile(app, "/file.txt");
    const elsewhere = new WebSocket(`ws+unix:${app.socketPath}:/elsewhere`);
    onEnd(t, () => elsewhere.terminate());
    const [error] = await within(DEADLINE_MS, once(elsewhere, "error"), "a refusal");
    assert.match(String(error), /Unexpected server response: 400/);
  });

  for (const transport of ["polling", "websocket"] as const) {
    it(`of Socket.IO answers, streams, knows its client, serves files and finishes by ${transport}`, async (t) => {
      const app = await serveApp(t, "socket-io.cjs");
      const connect = (options: object): Socket => {
        const fixed = { transports: [transport], reconnection: false, forceNew: true };
        const opened = io(`http://127.0.0.1:${app.port}`, { ...fixed, extraHeaders: FORWARDED, ...options }); // prettier-ignore
        onEnd(t, () => opened.disconnect());
        return opened;
      };
      const askOf = async (asked: Socket, event: string, ...args: string[]): Promise<unknown> =>
        await within(DEADLINE_MS, asked.emitWithAck(event, ...args), `an answer to ${event}`);
      const socket = connect({ agent: agentOf(t, app.socketPath) });
      const ask = async (event: string, ...args: string[]): Promise<unknown> =>
        await askOf(socket, event, ...args);
      const part = (): Promise<unknown> =>
        within(DEADLINE_MS, new Promise((resolve) => socket.once("part", resolve)), "a part");
      assert.equal(await ask("hello", "world"), "hello world");
      assert.equal(await ask("ip"), CLIENT);
      const untrusted = connect({});
      assert.equal(await askOf(untrusted, "ip"), PEER);
      // A poll that waits for news would hold up the stop.
      untrusted.disconnect();
      await checkFile(app, "/static/file.txt");
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

interface SocketOptions {
  readonly url: string;
  readonly protocol?: string;
}

/** Opens a WebSocket as a proxy does, which names a client. */
async function openSocket(scope: Scope, { url, protocol }: SocketOptions): Promise<WebSocket> {
  const opened = new WebSocket(url, protocol, { headers: FORWARDED });
  onEnd(scope, () => opened.terminate());
  await within(DEADLINE_MS, once(opened, "open"), "the WebSocket to open");
  return opened;
}

/** Resolves with one message after the other, those included that come before they are asked for. */
function readMessages(socket: WebSocket): () => Promise<string> {
  const messages = on(socket, "message");
  return async () => {
    const { value } = await within(DEADLINE_MS, messages.next(), "a message");
    return String(value?.[0]);
  };
}

async function checkSocketClosedInStop({ program }: Framework, socket: WebSocket): Promise<void> {
  const closed = once(socket, "close");
  program.signal("SIGTERM");
  const [code] = await within(DEADLINE_MS, closed, "the WebSocket to be closed");
  assert.equal(code, 1012);
  await checkStopped(program);
}

/** Lets a client of TCP addresses speak to a Unix socket. */
function agentOf(scope: Scope, socketPath: string): http.Agent {
  const agent = new http.Agent();
  agent.createConnection = () => connectSocket(socketPath);
  onEnd(scope, () => agent.destroy());
  return agent;
}

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { eventually, within } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import { startProgram, type Program } from "../helpers/program.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;

/** Every kind of app, by the name it greets with. */
const KINDS: Record<string, { readonly app: string; readonly kind: string }> = {
  commonjs: { app: "commonjs.cjs", kind: "a CommonJS (req, res) handler" },
  express: { app: "express.mjs", kind: "an Express app" },
  fastify: { app: "fastify.mjs", kind: "a Fastify app" },
  fetch: { app: "fetch.mjs", kind: "a { fetch } object" },
  "define-fetch": { app: "define-fetch.mjs", kind: "a function marked by defineFetch" },
  folder: { app: "folder", kind: "a folder whose package.json names its main file" },
  h3: { app: "h3.mjs", kind: "an h3 app" },
  hono: { app: "hono.mjs", kind: "a Hono app" },
  koa: { app: "koa.mjs", kind: "a Koa app" },
  "named-fetch": { app: "named-fetch.mjs", kind: "a named fetch" },
  "named-handler": { app: "named-handler.mjs", kind: "a named handler" },
  server: { app: "server.mjs", kind: "an http.Server" },
  typescript: { app: "typescript.ts", kind: "a TypeScript (req, res) handler" },
};

async function openWebSocket(scope: Scope, { socketPath }: Serving): Promise<WebSocket> {
  const webSocket = new WebSocket(`ws+unix:${socketPath}:/socket`);
  onEnd(scope, () => webSocket.terminate());
  await within(DEADLINE_MS, once(webSocket, "open"), "the WebSocket to open");
  return webSocket;
}

async function echoThrough(webSocket: WebSocket, message: string): Promise<string> {
  webSocket.send(message);
  const [echo] = await within(DEADLINE_MS, once(webSocket, "message"), "the echo");
  return String(echo);
}

describe("an app", () => {
  for (const [name, { app, kind }] of Object.entries(KINDS)) {
    it(`may be ${kind}`, async (t) => {
      const serving = await serveApp(t, app);
      const root = await serving.request({ path: "/" });
      assert.deepEqual([root.status, root.text()], [200, `hello from ${name}`]);
      assert.deepEqual((await serving.request({ path: "/json" })).json(), { hello: name });
      const headers = { "content-type": "application/octet-stream" };
      const body = Buffer.alloc(200_000, "ab");
      const echo = await serving.request({ method: "POST", path: "/echo", headers, body });
      assert.equal(echo.status, 200);
      assert.ok(echo.body.equals(body), `${echo.body.length} bytes came back`);
      assert.equal((await serving.request({ path: "/missing" })).status, 404);
      assert.equal((await serving.request({ path: "/throw" })).status, 500);
      const head = await serving.request({ method: "HEAD", path: "/missing" });
      assert.deepEqual([head.status, head.body.length], [404, 0]);
      assert.equal((await serving.request({ path: "/" })).status, 200);
      serving.program.signal("SIGTERM");
      assert.deepEqual(await serving.program.exit(), { code: 0, signal: null });
    });
  }

  it("may be a (req, res) handler with an upgrade export", async (t) => {
    const webSocket = await openWebSocket(t, await serveApp(t, "hello.mjs"));
    assert.equal(await echoThrough(webSocket, "hello"), "hello");
  });

  it("may be an http.Server with upgrade listeners of its own", async (t) => {
    const webSocket = await openWebSocket(t, await serveApp(t, "server.mjs"));
    assert.equal(await echoThrough(webSocket, "hello"), "hello");
  });

  it("may attach its upgrade listeners while it starts", async (t) => {
    const webSocket = await openWebSocket(t, await serveApp(t, "fastify-websocket.mjs"));
    assert.equal(await echoThrough(webSocket, "hello"), "hello");
  });

  it("answers an upgrade it does not want as a plain request", async (t) => {
    const serving = await serveApp(t, "express.mjs");
    const headers = { connection: "upgrade", upgrade: "websocket" };
    const response = await serving.request({ path: "/", headers });
    assert.deepEqual([response.status, response.text()], [200, "hello from express"]);
  });

  it("may be named by a package in the working directory", async (t) => {
    const dir = await tempDir(t);
    const cwd = fixture("..");
    const socketPath = join(dir, "s");
    const args = ["./apps/folder", "--listen", socketPath, "--ops", "off", "--workers", "1"];
    await startProgram(t, { args, cwd }).ready();
    assert.equal((await request({ socketPath, path: "/" })).text(), "hello from folder");
  });

  it("serves in the one process of --workers 0 as well", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--workers", "0"] });
    const pid = Number((await serving.request({ path: "/pid" })).text());
    assert.equal(pid, serving.program.pid);
    serving.program.signal("SIGTERM");
    assert.deepEqual(await serving.program.exit(), { code: 0, signal: null });
  });
});

describe("hooks of an app", () => {
  it("run at start and stop, once in each worker", async (t) => {
    const { program } = await serveApp(t, "lifecycle.mjs", {
      args: ["--workers", "2", "--min-ready", "2"],
    });
    const pids = new Set<unknown>(program.workerPids());
    assert.equal(pids.size, 2);
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), { code: 0, signal: null });
    for (const hook of ["startup", "shutdown"]) {
      const callers = program.lines.filter(({ app }) => app === hook).map(({ pid }) => pid);
      assert.equal(callers.length, 2);
      assert.deepEqual(new Set(callers), pids);
    }
  });

  it("decide over /readyz, with their reason in it", async (t) => {
    const dir = await tempDir(t);
    const file = join(dir, "unhealthy");
    const { opsPort, request: ask } = await serveApp(t, "lifecycle.mjs", {
      env: { HEALTH_FILE: file },
    });
    const ready = async (wanted: number): Promise<string> =>
      await eventually(
        DEADLINE_MS,
        async () => {
          const response = await request({ port: opsPort, path: "/readyz?verbose" });
          return response.status === wanted ? response.text() : undefined;
        },
        `/readyz to answer ${wanted}`,
      );
    await ready(200);
    await writeFile(file, "");
    assert.match(await ready(503), new RegExp(`${file} exists`));
    // It is still served, and alive: only no traffic should be sent.
    assert.equal((await ask({ path: "/" })).status, 200);
    assert.equal((await request({ port: opsPort, path: "/livez" })).status, 200);
    await rm(file);
    await ready(200);
  });

  it("are awaited at the start before anything is published", async (t) => {
    const dir = await tempDir(t);
    const socketPath = join(dir, "app.sock");
    const program = startProgram(t, {
      args: [fixture("slow-start.mjs"), "--listen", socketPath, "--ops", "off", "--workers", "1"],
      env: { START_MS: "500" },
    });
    const published = async (): Promise<string | undefined> =>
      existsSync(socketPath) ? (await request({ socketPath })).text() : undefined;
    const first = await eventually(DEADLINE_MS, published, "the socket file");
    assert.equal(first, "started");
    await program.ready();
  });
});

describe("a start that fails", () => {
  interface Failure {
    readonly source?: string;
    readonly file?: string;
    readonly app?: string;
    /** What the person who started it has to read. */
    readonly shown: readonly RegExp[];
  }
  const failures: Record<string, Failure> = {
    "in its startup hook": {
      app: fixture("failing-start.mjs"),
      shown: [/the database said no/, /failing-start\.mjs:\d+/],
    },
    "while it is imported": {
      app: fixture("broken.mjs"),
      shown: [/broken at import/, /broken\.mjs:\d+/],
    },
    "because a module it imports is missing": {
      source: 'import "no-such-module-anywhere"; export default () => {};',
      shown: [/no-such-module-anywhere/, /app\.mjs/],
    },
    "because of a syntax error": {
      source: "export default function app(req, res) {\n  res.end(;\n}\n",
      shown: [/SyntaxError/, /app\.mjs:2/],
    },
    "because of a type error in TypeScript that cannot be stripped": {
      file: "app.ts",
      source: "enum Colour { Red }\nexport default () => Colour.Red;\n",
      shown: [/enum/, /app\.ts/],
    },
    "because it exports no app": {
      source: "export const answer = 42;",
      shown: [/Cannot find an app among the exports \(answer\)/, /expected a default export/],
    },
    "because a hook is no function": {
      source: "export const startup = 1; export default () => {};",
      shown: [/Cannot use the export "startup": expected a function, got number/],
    },
    "because there is no such file": {
      app: "./no-such-app.mjs",
      shown: [/Cannot find app "\.\/no-such-app\.mjs": no such file or folder/],
    },
    "because it ends the process": {
      source: "process.exit(5);",
      shown: [/exited with code 5 before it was ready/],
    },
    "because it rejects where nobody listens": {
      source:
        'Promise.reject(new Error("lost promise")); await new Promise((r) => setTimeout(r, 5_000)); export default () => {};',
      shown: [/lost promise/, /app\.mjs:1/],
    },
  };
  for (const [why, failure] of Object.entries(failures)) {
    it(`${why} ends with 3, shows the error and leaves nothing behind`, async (t) => {
      const program = await startFailing(t, failure);
      assert.deepEqual(await program.exit(), { code: 3, signal: null });
      const written = program.stderr + program.stdout;
      for (const pattern of failure.shown) assert.match(written, pattern);
      assert.match(program.stderr, failure.shown[0] ?? /$^/);
    });
  }

  async function startFailing(scope: Scope, failure: Failure): Promise<Program> {
    const dir = await tempDir(scope);
    const sockets = await tempDir(scope);
    const file = join(dir, failure.file ?? "app.mjs");
    if (failure.source !== undefined) await writeFile(file, failure.source);
    const args = [failure.app ?? file, "--listen", join(sockets, "s"), "--ops", "off"];
    const program = startProgram(scope, { args: [...args, "--workers", "1"], cwd: dir });
    await program.exit();
    assert.deepEqual(await readdir(sockets), []);
    return program;
  }
});

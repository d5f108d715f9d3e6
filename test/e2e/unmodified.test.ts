import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { serveCode, type CodeOptions } from "../helpers/app-file.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import { startProgram, type Program } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import type { Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;

/** A port that nobody has at this moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await within(DEADLINE_MS, once(server, "listening"), "a free port");
  const address = server.address();
  server.close();
  await within(DEADLINE_MS, once(server, "close"), "the port to be free again");
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

/** Serves an app that ends in `.cjs`; PORT names a port that it may ask for. */
async function serveModule(
  scope: Scope,
  code: string,
  { args = [], ...options }: CodeOptions = {},
): Promise<Serving & { readonly port: number }> {
  const port = await freePort();
  const env = { ...options.env, PORT: String(port) };
  return { ...(await serveCode(scope, code, { file: "app.cjs", ...options, args, env })), port };
}

async function isOpen(port: number): Promise<boolean> {
  return await request({ port, path: "/" }).then(
    () => true,
    () => false,
  );
}

/** What a request to an app that answers with its notes brings. */
async function notesOf({ request: ask }: Serving): Promise<unknown> {
  return (await ask({ path: "/" })).json();
}

const HANDLER = `(req, res) => res.end("served")`;

describe("an app that exports nothing and calls listen()", () => {
  const apps: Record<string, { readonly code: string; readonly file: string }> = {
    CommonJS: {
      file: "app.cjs",
      code: `require("node:http").createServer(${HANDLER}).listen(process.env.PORT);`,
    },
    "an ES module": {
      file: "app.mjs",
      code: `import http from "node:http"; http.createServer(${HANDLER}).listen(+process.env.PORT);`,
    },
    TypeScript: {
      file: "app.ts",
      code: `import http, { type ServerResponse } from "node:http";
        http.createServer((_, res: ServerResponse) => void res.end("served")).listen({ port: Number(process.env["PORT"]) });`,
    },
    "one that listens later": {
      file: "app.mjs",
      code: `import http from "node:http"; setTimeout(() => http.createServer(${HANDLER}).listen(0), 200);`,
    },
    "one that awaits its own listening": {
      file: "app.mjs",
      code: `import http from "node:http"; import { once } from "node:events";
        const server = http.createServer(${HANDLER}).listen(process.env.PORT); await once(server, "listening");`,
    },
    "one that listens on a path": {
      file: "app.cjs",
      code: `require("node:http").createServer(${HANDLER}).listen("/nonexistent/folder/app.sock");`,
    },
    "one of node:https": {
      file: "app.cjs",
      code: `require("node:https").createServer({}, ${HANDLER}).listen(process.env.PORT);`,
    },
    "one of node:http2": {
      file: "app.cjs",
      code: `require("node:http2").createServer(${HANDLER}).listen(process.env.PORT);`,
    },
    "one of secure node:http2": {
      file: "app.cjs",
      code: `require("node:http2").createSecureServer({ allowHTTP1: true }, ${HANDLER}).listen(process.env.PORT);`,
    },
  };
  for (const [kind, { code, file }] of Object.entries(apps)) {
    it(`is served on our endpoint and nowhere else: ${kind}`, async (t) => {
      const serving = await serveModule(t, code, {
        file,
        args: ["--workers", "2", "--min-ready", "2"],
      });
      assert.equal((await serving.request({ path: "/" })).text(), "served");
      assert.equal(await isOpen(serving.port), false);
      serving.program.signal("SIGTERM");
      assert.deepEqual(await serving.program.exit(), { code: 0, signal: null });
    });
  }

  it("is counted, logged and given its context like any other", async (t) => {
    const serving = await serveModule(
      t,
      `require("node:http").createServer((req, res) => res.end("served")).listen(1);`,
    );
    for (let left = 3; left > 0; left -= 1) await serving.request({ path: "/counted" });
    assert.equal(await serving.sum("outrigger_endpoint_connections_accepted_total"), 3);
    assert.equal(await serving.sum("http_server_request_duration_seconds_count"), 3);
    const { endpoint, path, status } = await serving.program.line("request");
    assert.deepEqual([endpoint, path, status], ["app", "/counted", 200]);
  });

  it("sees its server listen where it asked, and itself as the main module", async (t) => {
    const serving = await serveModule(
      t,
      `const http = require("node:http");
      const notes = [];
      const server = http.createServer((req, res) => res.end(JSON.stringify(
        [...notes, server.listening, server.address(), require.main === module, process.argv[1] === __filename])));
      server.on("listening", () => notes.push("event"));
      const returned = server.listen({ port: 3456, host: "127.0.0.1" }, function () { notes.push("callback", this === server); });
      notes.push(returned === server);
      try { server.listen(1); } catch (error) { notes.push(error.code); }`,
    );
    assert.deepEqual(await notesOf(serving), [
      true, "ERR_SERVER_ALREADY_LISTEN", "event", "callback", true, true,
      { address: "127.0.0.1", family: "IPv4", port: 3456 }, true, true,
    ]); // prettier-ignore
  });

  it("is told our address where it asks for any port", async (t) => {
    const code = `const http = require("node:http");
      const server = http.createServer((req, res) => res.end(JSON.stringify(server.address()))).listen(0);`;
    const serving = await serveModule(t, code, { args: ["--listen", "127.0.0.1:0"] });
    const [host, port] = (await serving.program.address()).split(":");
    const answer = await request({ port: Number(port), path: "/" });
    assert.deepEqual(answer.json(), { address: host, family: "IPv4", port: Number(port) });
  });

  it("runs what asks whether it is the main module", async (t) => {
    const code = `const http = require("node:http");
      const state = { connected: false };
      const app = (req, res) => res.end(String(state.connected));
      if (require.main === module) { state.connected = true; http.createServer(app).listen(process.env.PORT); }
      module.exports = app;`;
    const serving = await serveModule(t, code);
    assert.equal((await serving.request({ path: "/" })).text(), "true");
    assert.equal(
      await isOpen(serving.port),
      false,
      "the export is served, the server is not opened",
    );
  });

  it("gets upgrades, expectations and CONNECT as listeners of its server", async (t) => {
    const serving = await serveModule(
      t,
      `const server = require("node:http").createServer((req, res) => res.end("plain"));
      server.listen(process.env.PORT);
      server.on("upgrade", (req, socket) => socket.end("HTTP/1.1 101 Switching Protocols\\r\\nConnection: upgrade\\r\\nUpgrade: x\\r\\n\\r\\nupgraded"));
      server.on("connect", (req, socket) => socket.end("HTTP/1.1 200 OK\\r\\n\\r\\nconnected to " + req.url));
      server.on("checkContinue", (req, res) => res.writeHead(403).end("refused to continue"));`,
    );
    const heads: readonly [head: string, answer: RegExp][] = [
      ["GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x", /101 [^]*upgraded$/],
      ["CONNECT db:5432 HTTP/1.1\r\nHost: x", /200 [^]*connected to db:5432$/],
      ["POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\nExpect: 100-continue", /^HTTP\/1.1 403 [^]*refused to continue/],
      ["GET / HTTP/1.1\r\nHost: x\r\nConnection: close", /200 OK[^]*plain/],
    ]; // prettier-ignore
    for (const [head, answer] of heads) {
      const client = await RawClient.open(t, { path: serving.socketPath });
      client.send(`${head}\r\n\r\n`);
      assert.match(await client.ended(), answer);
    }
  });

  it("is served in the one process of --workers 0 as well", async (t) => {
    const code = `require("node:http").createServer((req, res) => res.end(String(process.pid))).listen(process.env.PORT);`;
    const serving = await serveModule(t, code, { args: ["--workers", "0"] });
    assert.equal((await serving.request({ path: "/" })).text(), String(serving.program.pid));
    assert.equal((await serving.ops("/readyz")).status, 200);
    assert.equal(await isOpen(serving.port), false);
    serving.program.signal("SIGTERM");
    assert.deepEqual(await serving.program.exit(), { code: 0, signal: null });
  });

  it("may be a folder with nothing but a start script", async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, "bin"));
    await writeFile(join(dir, "package.json"), '{ "scripts": { "start": "node bin/www" } }');
    const code = `require("node:http").createServer(${HANDLER}).listen(process.env.PORT);`;
    await writeFile(join(dir, "bin", "www.js"), code);
    await writeFile(join(dir, "bin", "www"), code);
    const socketPath = join(await tempDir(t), "s");
    const args = [".", "--listen", socketPath, "--ops", "off", "--workers", "1"];
    await startProgram(t, { args, cwd: dir }).ready();
    assert.equal((await request({ socketPath, path: "/" })).text(), "served");
  });
});

describe("an app with several servers", () => {
  const TWO = `const http = require("node:http");
    const answering = (text) => http.createServer((req, res) => res.end(text + process.pid));
    answering("first ").listen(process.env.PORT);
    answering("second ").listen(process.env.SECOND);`;

  it("has the first served; others really listen, on ports the workers share", async (t) => {
    const second = await freePort();
    const args = ["--workers", "2", "--min-ready", "2"];
    const serving = await serveModule(t, TWO, { args, env: { SECOND: String(second) } });
    assert.match((await serving.request({ path: "/" })).text(), /^first /);
    assert.equal(await isOpen(serving.port), false);
    assert.match((await request({ port: second, path: "/" })).text(), /^second /);
    const { asked } = await serving.program.line("app listens by itself");
    assert.equal(asked, `port ${second}`);
    const before = new Set(serving.program.workerPids());
    serving.program.signal("SIGHUP");
    await serving.program.line("reload done");
    // What waits in the queue of a worker that ends is lost on a port that is not ours.
    for (const old of before)
      await serving.program.line(({ msg, pid }) => msg === "worker exited" && pid === old);
    assert.match((await request({ port: second, path: "/" })).text(), /^second /);
  });

  it("has the one served whose port is chosen", async (t) => {
    const second = await freePort();
    const args = ["--app-server", String(second)];
    const serving = await serveModule(t, TWO, { args, env: { SECOND: String(second) } });
    assert.match((await serving.request({ path: "/" })).text(), /^second /);
    assert.deepEqual([await isOpen(second), await isOpen(serving.port)], [false, true]);
  });

  it("may choose a server before what the module exports", async (t) => {
    const port = await freePort();
    const code = `const http = require("node:http");
      module.exports = (req, res) => res.end("exported");
      setTimeout(() => http.createServer((req, res) => res.end("listening")).listen(${port}), 50);`;
    const chosen = await serveModule(t, code, { args: ["--app-server", String(port)] });
    assert.equal((await chosen.request({ path: "/" })).text(), "listening");
    const unchosen = await serveModule(t, code);
    assert.equal((await unchosen.request({ path: "/" })).text(), "exported");
  });

  it("opens none for another address of the same port, as for localhost", async (t) => {
    const serving = await serveModule(
      t,
      `const http = require("node:http");
      const events = [];
      for (const host of ["127.0.0.1", "::1"])
        http.createServer((req, res) => res.end(JSON.stringify(events))).listen(process.env.PORT, host, () => events.push(host));`,
    );
    assert.deepEqual(await notesOf(serving), ["127.0.0.1", "::1"]);
    assert.equal(await isOpen(serving.port), false);
  });

  it("really opens others that ask for any port, when the first did too", async (t) => {
    const serving = await serveModule(
      t,
      `const http = require("node:http");
      const events = [];
      http.createServer((req, res) => res.end(JSON.stringify(events))).listen(0);
      const other = http.createServer((req, res) => res.end("other")).listen(0, "127.0.0.1", async () => {
        events.push(await (await fetch("http://127.0.0.1:" + other.address().port)).text());
      });`,
    );
    const answered = async (): Promise<unknown[] | undefined> => {
      const events = await notesOf(serving);
      return Array.isArray(events) && events.length > 0 ? events : undefined;
    };
    assert.deepEqual(await eventually(DEADLINE_MS, answered, "an answer of the other"), ["other"]);
  });

  it("takes the next when the first is closed before it is served", async (t) => {
    const serving = await serveModule(
      t,
      `const http = require("node:http");
      const events = [];
      const first = http.createServer((req, res) => res.end("first")).listen(process.env.PORT, () => first.close(() => {
        events.push("first closed");
        http.createServer((req, res) => res.end(JSON.stringify(events))).listen(process.env.PORT);
      }));`,
    );
    assert.deepEqual(await notesOf(serving), ["first closed"]);
  });

  it("opens all of them with --app-server off, and serves the export", async (t) => {
    const code = `require("node:http").createServer((req, res) => res.end("own")).listen(process.env.PORT);
      module.exports = (req, res) => res.end("exported");`;
    const serving = await serveModule(t, code, { args: ["--app-server", "off"] });
    assert.equal((await serving.request({ path: "/" })).text(), "exported");
    assert.equal((await request({ port: serving.port, path: "/" })).text(), "own");
  });
});

describe("an app that exports what is served and has servers of its own", () => {
  const EXPORTS = `const http = require("node:http");
    const events = [];
    const own = http.createServer((req, res) => res.end(JSON.stringify([...events, own.address().port])));
    own.on("listening", () => events.push("event"));
    const listen = () => own.listen(Number(process.env.SECOND), "127.0.0.1", () => events.push("callback"));
    const app = (req, res) => res.end("exported");
    `;
  const apps: Record<string, { readonly code: string; readonly file?: string }> = {
    "CommonJS": { code: `${EXPORTS} listen(); module.exports = app;` },
    "a named export": { code: `${EXPORTS} listen(); exports.handler = app;` },
    "an ES module that awaits its server": {
      file: "app.mjs",
      code: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);
        ${EXPORTS} await new Promise((resolve) => listen().on("listening", resolve)); export default app;`,
    },
    "one that listens in its startup hook": {
      code: `${EXPORTS} exports.startup = () => void listen(); exports.handler = app;`,
    },
    "one that listens later": { code: `${EXPORTS} setTimeout(listen, 100); module.exports = app;` },
    "beside a server of the export": {
      code: `${EXPORTS} http.createServer(app).listen(process.env.PORT); listen(); module.exports = app;`,
    },
    "beside a later server of the export": {
      code: `${EXPORTS} listen(); setTimeout(() => http.createServer(app).listen(process.env.PORT), 100); module.exports = app;`,
    },
    "an exported server": { code: `${EXPORTS} listen(); module.exports = http.createServer(app);` },
    "Koa, beside its server": {
      code: `${EXPORTS} const koa = { callback: () => (req, res) => app(req, res) };
        http.createServer(koa.callback()).listen(process.env.PORT); listen(); module.exports = koa;`,
    },
    "Koa, without a server": {
      code: `${EXPORTS} listen(); module.exports = { callback: () => (req, res) => app(req, res) };`,
    },
  }; // prettier-ignore
  for (const [kind, { code, file = "app.cjs" }] of Object.entries(apps)) {
    it(`has those opened, on ports the workers share, and only those: ${kind}`, async (t) => {
      const second = await freePort();
      const args = ["--workers", "2", "--min-ready", "2"];
      const serving = await serveModule(t, code, { file, args, env: { SECOND: String(second) } });
      assert.equal((await serving.request({ path: "/" })).text(), "exported");
      for (let workers = 2; workers > 0; workers -= 1)
        await serving.program.line("app listens by itself");
      const answer = (): Promise<unknown> =>
        request({ port: second, path: "/" }).then(
          (response) => response.json(),
          () => undefined,
        );
      const told = await eventually(DEADLINE_MS, answer, "the server to be open");
      assert.deepEqual(told, ["event", "callback", second], "it is told once that it listens");
      assert.equal(await isOpen(serving.port), false);
      serving.program.signal("SIGTERM");
      assert.deepEqual(await serving.program.exit(), { code: 0, signal: null });
    });
  }

  it("keeps a server for itself that upgrades are listened for", async (t) => {
    const code = `${EXPORTS} const server = http.createServer(app).listen(process.env.PORT);
      server.removeAllListeners("request").on("request", (req, res) => app(req, res));
      server.on("upgrade", (req, socket) => socket.end("HTTP/1.1 101 Switching Protocols\\r\\nConnection: upgrade\\r\\nUpgrade: x\\r\\n\\r\\nupgraded"));
      module.exports = app;`;
    const serving = await serveModule(t, code);
    const client = await RawClient.open(t, { path: serving.socketPath });
    client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert.match(await client.ended(), /101 [^]*upgraded$/);
    assert.equal(await isOpen(serving.port), false);
  });

  it("fails as under node when the port is taken and nobody listens for that", async (t) => {
    const taken = createServer().listen(0, "127.0.0.1");
    onEnd(t, () => taken.close());
    await within(DEADLINE_MS, once(taken, "listening"), "a server on the port");
    const { port } = Object(taken.address());
    const file = join(await tempDir(t), "app.cjs");
    await writeFile(file, `${EXPORTS} listen(); module.exports = app;`);
    const endpoints = ["--listen", join(await tempDir(t), "s"), "--ops", "off"];
    const program = startProgram(t, { args: [file, ...endpoints, "--workers", "1"], env: { SECOND: String(port) } }); // prettier-ignore
    const { error } = await program.line("worker crashed");
    assert.match(JSON.stringify(error), /EADDRINUSE/);
    program.signal("SIGKILL");
  });
});

describe("an app that waits before it is ready", () => {
  const WAITING = `const http = require("node:http");
    let isReady = false;
    http.createServer((req, res) => res.end(String(isReady))).listen(process.env.PORT);
    setTimeout(() => { isReady = true; process.send("ready"); }, 300);`;

  it("says so with process.send, and is published then with --wait-ready", async (t) => {
    const serving = await serveModule(t, WAITING, { args: ["--wait-ready"] });
    assert.equal((await serving.request({ path: "/" })).text(), "true");
  });

  it("may send what it likes: nobody is told, and nothing is waited for", async (t) => {
    const code = `process.send({ any: "thing" }, () => require("node:http").createServer(${HANDLER}).listen(1));`;
    const serving = await serveModule(t, code);
    assert.equal((await serving.request({ path: "/" })).text(), "served");
  });
});

describe("the start of an app that listens", () => {
  const LISTENING = `require("node:http").createServer(${HANDLER}).listen(process.env.PORT);`;
  const failures: Record<string, readonly [code: string, args: string[], sentence: RegExp]> = {
    "it never listens, and nothing is left that it waits for": [
      "exports.answer = 42;",
      [],
      /Cannot find an app among the exports \(answer, default\), and it does not call listen\(\): expected .* or a call of listen\(\) on a server of node:http/,
    ],
    "it does not listen within the start timeout": [
      "setInterval(() => {}, 1000);",
      ["--start-timeout", "500ms"],
      /and it did not call listen\(\) within 500ms: expected/,
    ],
    "it listens with raw TCP alone": [
      `require("node:net").createServer().listen(0);`,
      ["--start-timeout", "500ms"],
      /it did not call listen\(\) but on port 0 within 500ms/,
    ],
    "the chosen port is one of raw TCP": [
      `require("node:net").createServer().listen(4444);`,
      ["--app-server", "4444"],
      /Cannot serve the app's server on port 4444: it is one of node:net or node:tls, expected one of node:http/,
    ],
    "it forks itself with node:cluster": [
      `const cluster = require("node:cluster"); if (cluster.isPrimary) cluster.fork(); else ${LISTENING}`,
      [],
      /Cannot fork with node:cluster: this is a worker of Outrigger already, and --workers says how many/,
    ],
    "its startup hook hangs": [
      `exports.startup = () => new Promise(() => {}); exports.handler = ${HANDLER}; setInterval(() => {}, 1000);`,
      ["--start-timeout", "500ms"],
      /Cannot start app ".*": its startup hook did not end within 500ms/,
    ],
    "it hangs while it is loaded": [
      `while (true);`,
      ["--start-timeout", "500ms"],
      /Worker 0 was not ready within 500ms/,
    ],
    "it never says that it is ready": [
      LISTENING,
      ["--wait-ready", "--start-timeout", "500ms"],
      /it did not call process.send\("ready"\) within 500ms/,
    ],
  };
  for (const [why, [code, args, sentence]] of Object.entries(failures)) {
    it(`fails with 3 and says why: ${why}`, async (t) => {
      const program = await startFailing(t, code, args);
      assert.deepEqual(await program.exit(), { code: 3, signal: null });
      assert.match(program.stderr, sentence);
    });
  }

  async function startFailing(scope: Scope, code: string, args: string[]): Promise<Program> {
    const file = join(await tempDir(scope), "app.cjs");
    await writeFile(file, code);
    const socketPath = join(await tempDir(scope), "s");
    const flags = ["--listen", socketPath, "--ops", "off", "--workers", "1"];
    const program = startProgram(scope, { args: [file, ...flags, ...args] });
    onEnd(scope, () => program.signal("SIGKILL"));
    return program;
  }

  it("leaves the old workers serving in a reload that hangs", async (t) => {
    const serving = await serveCode(t, answeringOld(), { args: ["--start-timeout", "1s"] });
    await serving.rewrite("await new Promise((resolve) => setTimeout(resolve, 600_000));");
    serving.program.signal("SIGHUP");
    const { error } = await serving.program.line("reload failed");
    assert.match(JSON.stringify(error), /its module was not loaded to the end within 1s/);
    assert.equal((await serving.request({ path: "/" })).text(), "old");
  });

  function answeringOld(): string {
    return `import http from "node:http"; http.createServer((req, res) => res.end("old")).listen(1);`;
  }
});

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { serveCode, type CodeOptions } from "../helpers/app-file.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { readResponse, stream, type Response } from "../helpers/http.ts";
import type { Scope } from "../helpers/scope.ts";
import type { Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const OK = { code: 0, signal: null };

/** Begins every answer to /slow at once and ends it when a file is there, whose name the app is told. */
const SERVER = `const http = require("node:http");
  const note = (msg) => require("node:fs").writeSync(1, JSON.stringify({ msg, pid: process.pid }) + "\\n");
  const server = http.createServer((req, res) => {
    if (req.url === "/close") { server.close(() => { note("closed"); process.exit(0); }); return res.end("closing"); }
    if (req.url !== "/slow") return res.end(String(process.pid));
    res.flushHeaders();
    const timer = setInterval(() => {
      if (!require("node:fs").existsSync(process.env.GO)) return;
      clearInterval(timer);
      note("answered");
      res.end("whole");
    }, 20);
  }).listen(process.env.PORT || 3000);
  `;

interface Stopping extends Serving {
  /** A request that the app answers when it is let. */
  readonly slow: () => Promise<{ readonly answer: () => Promise<Response> }>;
  /** Signals the program and its workers alike. */
  readonly signalAll: (signal: NodeJS.Signals) => void;
}

async function serveStopping(
  scope: Scope,
  code: string,
  options: CodeOptions = {},
): Promise<Stopping> {
  const go = join(await tempDir(scope), "go");
  const env = { GO: go };
  const serving = await serveCode(scope, SERVER + code, { file: "app.cjs", env, ...options });
  return {
    ...serving,
    signalAll: (signal) => void process.kill(-serving.program.pid, signal),
    async slow() {
      const message = await stream({ socketPath: serving.socketPath, path: "/slow" });
      return {
        async answer() {
          await writeFile(go, "");
          return await within(DEADLINE_MS, readResponse(message), "the answer");
        },
      };
    },
  };
}

/** What the app wrote down, in order. */
function notes({ program }: Serving): unknown[] {
  const own = new Set(["answered", "told", "closed", "cleaned up"]);
  return program.lines.map(({ msg }) => msg).filter((msg) => own.has(String(msg)));
}

describe("an app that listens and handles stop signals itself", () => {
  const handlers: Record<string, readonly [code: string, notes: readonly string[]]> = {
    "exits at once": [
      `process.on("SIGTERM", () => { note("told"); process.exit(1); });`,
      ["answered", "told"],
    ],
    "closes its server and exits when that is closed": [
      `process.once("SIGTERM", () => server.close(() => {
        note("closed");
        setTimeout(() => { note("cleaned up"); process.exit(0); }, 100);
      }));`,
      ["answered", "closed", "cleaned up"],
    ],
    "ends by the same signal": [
      `process.once("SIGTERM", () => { note("told"); process.kill(process.pid, "SIGTERM"); });`,
      ["answered", "told"],
    ],
    "exits only when nothing is left to do": [
      `process.on("SIGTERM", async () => { note("told"); server.close(); await new Promise((r) => setTimeout(r, 100)); note("cleaned up"); });`,
      ["answered", "told", "cleaned up"],
    ],
    "listens to SIGINT alone": [
      `process.on("SIGINT", () => { note("told"); process.exit(0); });`,
      ["answered", "told"],
    ],
    "has no handler": ["", ["answered"]],
  };
  for (const [what, [code, expected]] of Object.entries(handlers)) {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      it(`${what}: its requests are finished first, when every process gets ${signal}`, async (t) => {
        const serving = await serveStopping(t, code);
        const request = await serving.slow();
        serving.signalAll(signal);
        await serving.program.line("endpoints withdrawn");
        const { status, ...response } = await request.answer();
        assert.deepEqual([status, response.text()], [200, "whole"]);
        assert.deepEqual(await serving.program.exit(), OK);
        assert.deepEqual(notes(serving), expected);
        const requests = serving.program.lines.filter(({ msg }) => msg === "request");
        assert.equal(requests.length, 1, "the access log is written to its end");
      });
    }
  }

  it("is told when its worker is replaced, and no sooner", async (t) => {
    const code = `process.on("SIGTERM", () => { note("told"); process.exit(0); });`;
    const serving = await serveStopping(t, code);
    const before = (await serving.request({ path: "/" })).text();
    const request = await serving.slow();
    serving.program.signal("SIGHUP");
    await serving.program.line("reload done");
    assert.notEqual((await serving.request({ path: "/" })).text(), before);
    assert.deepEqual(notes(serving), []);
    assert.equal((await request.answer()).text(), "whole");
    await serving.program.line(({ msg, pid }) => msg === "worker exited" && String(pid) === before);
    assert.deepEqual(notes(serving), ["answered", "told"]);
  });

  it("is cut when it does not end within the grace period", async (t) => {
    const code = `process.on("SIGTERM", () => { note("told"); setInterval(() => {}, 1000); });`;
    const serving = await serveStopping(t, code, { args: ["--grace-period", "1s"] });
    await serving.request({ path: "/" });
    serving.program.signal("SIGTERM");
    await serving.program.line("app shutdown did not end in time");
    assert.deepEqual(await serving.program.exit(), OK);
    assert.deepEqual(notes(serving), ["told"]);
  });

  it("does not take HUP for the order to stop", async (t) => {
    const code = `process.on("SIGHUP", () => note("told")); setInterval(() => {}, 1000).unref();`;
    const serving = await serveStopping(t, code);
    await serving.request({ path: "/" });
    serving.program.signal("SIGTERM");
    assert.deepEqual(await serving.program.exit(), OK);
    assert.deepEqual(notes(serving), []);
  });

  it("keeps its worker when a stop signal is sent to that alone", async (t) => {
    const code = `process.on("SIGTERM", () => { note("told"); process.exit(0); });`;
    const serving = await serveStopping(t, code);
    const pid = (await serving.request({ path: "/" })).text();
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const)
      process.kill(Number(pid), signal);
    assert.equal((await serving.request({ path: "/" })).text(), pid);
    assert.deepEqual(notes(serving), []);
  });
});

describe("an app that closes its server itself", () => {
  it("has its requests finished and its callback called, and is started again", async (t) => {
    const serving = await serveStopping(t, "");
    const before = (await serving.request({ path: "/" })).text();
    const request = await serving.slow();
    assert.equal((await serving.request({ path: "/close" })).text(), "closing");
    await serving.program.line("app closed its server");
    assert.equal((await request.answer()).text(), "whole");
    const after = async (): Promise<string | undefined> => {
      const pid = (await serving.request({ path: "/" })).text();
      return pid === before ? undefined : pid;
    };
    await eventually(DEADLINE_MS, after, "another worker to answer");
    assert.deepEqual(notes(serving), ["answered", "closed"]);
  });
});

describe("an app that exports a handler and lets a server listen", () => {
  it("may wait in its shutdown hook until its server has closed", async (t) => {
    const code = `exports.handler = (req, res) => res.end(String(process.pid));
      server.removeAllListeners("request").on("request", exports.handler);
      exports.shutdown = () => new Promise((done) => server.close(() => { note("closed"); done(); }));`;
    const serving = await serveStopping(t, code);
    const { asked } = await serving.program.line("app does not listen by itself");
    assert.equal(asked, "port 3000");
    await serving.request({ path: "/" });
    serving.program.signal("SIGTERM");
    assert.deepEqual(await serving.program.exit(), OK);
    assert.deepEqual(notes(serving), ["closed"]);
  });

  it("is told to stop when that server is another one, which really listens", async (t) => {
    const code = `exports.handler = (req, res) => res.end("exported");
      process.on("SIGTERM", () => server.close(() => { note("closed"); process.exit(0); }));`;
    const serving = await serveStopping(t, code, { env: { PORT: "0" } });
    await serving.program.line("app listens by itself");
    assert.equal((await serving.request({ path: "/" })).text(), "exported");
    serving.program.signal("SIGTERM");
    assert.deepEqual(await serving.program.exit(), OK);
    assert.deepEqual(notes(serving), ["closed"]);
  });

  it("may close that server, and goes on", async (t) => {
    const code = `exports.handler = (req, res) =>
        server.listening ? server.close(() => { note("closed"); res.end(String(process.pid)); }) : res.end(String(process.pid));
      server.removeAllListeners("request").on("request", exports.handler);`;
    const serving = await serveStopping(t, code);
    const pid = (await serving.request({ path: "/" })).text();
    assert.equal((await serving.request({ path: "/" })).text(), pid);
    assert.deepEqual(notes(serving), ["closed"]);
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { adaptApp } from "../../src/app/adapt.ts";
import type { App } from "../../src/app/app.ts";
import type { RequestContext } from "../../src/app/context.ts";
import { defineFetch } from "../../src/app/define.ts";
import type { AppModule } from "../../src/app/load.ts";
import { silentLogger, type Logger } from "../../src/log/logger.ts";
import { within } from "../helpers/deadline.ts";

const CONTEXT: RequestContext = {
  endpoint: "test",
  scheme: "http",
  host: "test",
  requestId: "id-1",
  server: { path: "/test.sock" },
  draining: new AbortController().signal,
};

interface LoggedLine {
  readonly message: string;
  readonly error: unknown;
}

function recordErrors(lines: LoggedLine[]): Logger {
  return {
    ...silentLogger,
    error: (fields, message) => {
      lines.push({ message, error: "error" in fields ? fields.error : undefined });
    },
  };
}

function adapt(module: AppModule, log: Logger = silentLogger): App {
  return adaptApp(module, { log, createContext: () => CONTEXT });
}

/** Sends a request through an app without a network; resolves with status and body. */
async function ask(app: App, { method = "GET", url = "/" } = {}): Promise<[number, string]> {
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { method, url, rawHeaders: ["Host", "test"], headers: { host: "test" } });
  request.push(null);
  const response = new ServerResponse(request);
  const written: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  response.write = (chunk: Uint8Array | string): boolean => {
    written.push(Buffer.from(chunk));
    return true;
  };
  response.end = (chunk?: unknown): ServerResponse => {
    if (typeof chunk === "string" || chunk instanceof Uint8Array) response.write(chunk);
    resolve();
    response.emit("finish");
    return response;
  };
  response.flushHeaders = () => {};
  app.handle(request, response);
  await within(5_000, promise, "the response");
  return [response.statusCode, Buffer.concat(written).toString()];
}

function answerWith(text: string) {
  return (_request: unknown, response: ServerResponse) => void response.end(text);
}

class Framework {
  readonly name = "private";
  callback(): unknown {
    return answerWith(this.name);
  }
}

describe("adaptApp", () => {
  const fetch = (): Response => new Response("fetched");
  const modules: Record<string, readonly [AppModule, answer: string]> = {
    "a default (req, res) handler": [{ default: answerWith("node") }, "node"],
    "a default { fetch }": [{ default: { fetch } }, "fetched"],
    "a default function marked by defineFetch": [
      { default: defineFetch(() => fetch()) },
      "fetched",
    ],
    "a default http.Server": [{ default: createServer(answerWith("server")) }, "server"],
    "a framework with callback()": [{ default: new Framework() }, "private"],
    "a named handler": [{ handler: answerWith("named") }, "named"],
    "a named fetch": [{ fetch }, "fetched"],
    "the default before the named": [{ default: answerWith("default"), fetch }, "default"],
    "the handler before fetch": [{ handler: answerWith("handler"), fetch }, "handler"],
    "the named when the default is no app": [{ default: { port: 80 }, fetch }, "fetched"],
    "fetch before callback() of one object": [
      { default: { fetch, callback: () => answerWith("callback") } },
      "fetched",
    ],
  };
  for (const [what, [module, answer]] of Object.entries(modules)) {
    it(`takes ${what}`, async () => {
      assert.deepEqual(await ask(adapt(module)), [200, answer]);
    });
  }

  const strangers: Record<string, AppModule> = {
    nothing: {},
    "a number": { default: 42 },
    null: { default: null },
    "an object with nothing callable": { default: { fetch: "no" } },
    "a named handler that is no function": { handler: {} },
  };
  for (const [what, module] of Object.entries(strangers)) {
    it(`refuses ${what}, and says what was exported and wanted`, () => {
      const exported = Object.keys(module).join(", ") || "nothing";
      assert.throws(() => adapt(module), {
        code: "ERR_APP",
        message: new RegExp(`exports \\(${exported}\\): expected a default export`),
      });
    });
  }

  it("keeps this for the methods of an instance", async () => {
    class Site {
      readonly #text = "own";
      fetch(): Response {
        return new Response(this.#text);
      }
    }
    assert.deepEqual(await ask(adapt({ default: new Site() })), [200, "own"]);
  });

  it("gives a fetch handler URL, method and context", async () => {
    const seen: unknown[] = [];
    const app = adapt({
      fetch: (request: Request, context: RequestContext) => {
        seen.push(request.method, request.url, context);
        return new Response(null, { status: 204 });
      },
    });
    assert.deepEqual(await ask(app, { method: "DELETE", url: "/a?b" }), [204, ""]);
    assert.deepEqual(seen, ["DELETE", "http://test/a?b", CONTEXT]);
  });

  it("answers methods that a Request refuses itself", async () => {
    const app = adapt({ fetch: () => assert.fail("never called") });
    const [status] = await ask(app, { method: "TRACE" });
    assert.equal(status, 501);
  });

  const failing: Record<string, AppModule> = {
    "that throws": {
      default: () => {
        throw new Error("ouch");
      },
    },
    "that rejects": { default: () => Promise.reject(new Error("ouch")) },
    "whose fetch throws": {
      fetch: () => {
        throw new Error("ouch");
      },
    },
    "whose fetch rejects": { fetch: () => Promise.reject(new Error("ouch")) },
  };
  for (const [what, module] of Object.entries(failing)) {
    it(`answers 500 and logs once for an app ${what}`, async () => {
      const lines: LoggedLine[] = [];
      const answer = await ask(adapt(module, recordErrors(lines)));
      assert.deepEqual(answer, [500, "Internal Server Error\n"]);
      assert.deepEqual(
        lines.map(({ message }) => message),
        ["app failed a request"],
      );
      assert.match(JSON.stringify(lines), /ouch/);
    });
  }

  it("runs the module's hooks before those of a framework", async () => {
    const calls: string[] = [];
    const framework = {
      routing: answerWith("routed"),
      ready: () => calls.push("ready"),
      close: () => calls.push("close"),
    };
    const app = adapt({
      default: framework,
      startup: () => calls.push("startup"),
      shutdown: () => calls.push("shutdown"),
    });
    await app.startup();
    await app.shutdown();
    assert.deepEqual(calls, ["startup", "ready", "shutdown", "close"]);
    assert.deepEqual(await ask(app), [200, "routed"]);
  });

  it("has a startup that rejects as the app's does", async () => {
    const app = adapt({
      default: answerWith(""),
      startup: () => Promise.reject(new Error("no db")),
    });
    await assert.rejects(app.startup(), /no db/);
  });
});

describe("a fetch app with a Response of another class", () => {
  it("is told what to return", async () => {
    class ForeignResponse {}
    const lines: LoggedLine[] = [];
    const app = adapt({ fetch: () => new ForeignResponse() }, recordErrors(lines));
    assert.equal((await ask(app))[0], 500);
    assert.match(
      JSON.stringify(lines),
      /fetch returned object, not a Response: return the global Response, not one imported from a package/,
    );
  });
});

describe("the upgrade of an app", () => {
  const handshake = new IncomingMessage(new Socket());

  it("is undefined when nobody takes it", () => {
    assert.equal(adapt({ default: answerWith("") }).upgrade, undefined);
    assert.equal(adapt({ default: createServer() }).upgrade, undefined);
  });

  it("goes to the export", () => {
    const seen: unknown[] = [];
    const app = adapt({
      default: answerWith(""),
      upgrade: (...args: unknown[]) => seen.push(...args),
    });
    const socket = new Socket();
    const head = Buffer.from("head");
    app.upgrade?.(handshake, socket, head);
    assert.deepEqual(seen, [handshake, socket, head]);
  });

  it("goes to the listeners of an http.Server, those attached by startup included", async () => {
    const server = createServer();
    let upgrades = 0;
    const app = adapt({
      default: server,
      startup: () => server.on("upgrade", () => (upgrades += 1)),
    });
    await app.startup();
    app.upgrade?.(handshake, new Socket(), Buffer.alloc(0));
    assert.equal(upgrades, 1);
  });

  const ouch = (): never => {
    throw new Error("ouch");
  };
  const failing: Record<string, AppModule> = {
    "of an export that throws": { default: answerWith(""), upgrade: ouch },
    "of an export that rejects": { default: answerWith(""), upgrade: async () => ouch() },
    "of a listener that throws": { default: createServer().on("upgrade", ouch) },
    "of a listener that rejects": { default: createServer().on("upgrade", async () => ouch()) },
  };
  for (const [what, module] of Object.entries(failing)) {
    it(`costs the connection and one log line: ${what}`, async () => {
      const lines: LoggedLine[] = [];
      let sent = "";
      const socket = new Duplex({
        read() {},
        write(chunk: Buffer, _encoding, done) {
          sent += chunk.toString();
          done();
        },
      });
      adapt(module, recordErrors(lines)).upgrade?.(handshake, socket, Buffer.alloc(0));
      await within(5_000, once(socket, "finish"), "the answer");
      assert.match(sent, /^HTTP\/1\.1 500 [^]*\r\nConnection: close\r\n/);
      assert.deepEqual(
        lines.map(({ message }) => message),
        ["app failed an upgrade"],
      );
      assert.match(JSON.stringify(lines), /ouch/);
    });
  }
});

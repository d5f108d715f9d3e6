import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request, type IncomingHttpHeaders, type RequestOptions } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { OutriggerError } from "../../src/errors.ts";
import { silentLogger, type Logger } from "../../src/log/logger.ts";
import { openOpsServer, type OpsServer, type OpsServerOptions } from "../../src/ops/server.ts";
import type { Snapshot } from "../../src/snapshot.ts";
import { snapshotFixture } from "../helpers/snapshot.ts";

const DEADLINE_MS = 10_000;

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function open(t: TestContext, options: Partial<OpsServerOptions> = {}): Promise<OpsServer> {
  const current = (): Snapshot => snapshotFixture();
  const server = await openOpsServer({
    endpoint: { host: "127.0.0.1", port: 0 },
    log: silentLogger,
    current,
    refresh: async () => current(),
    ...options,
  });
  t.after(() => server.close());
  return server;
}

async function ask(server: OpsServer, path: string, options: RequestOptions = {}): Promise<Reply> {
  const { host, port } = server.address;
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const sent = request({ host, port, path, agent: false, signal, ...options }).end();
  const [response] = await once(sent, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

async function dial(t: TestContext, server: OpsServer): Promise<Socket> {
  const socket = connect({ ...server.address, allowHalfOpen: true });
  t.after(() => socket.destroy());
  await once(socket, "connect", { signal: AbortSignal.timeout(DEADLINE_MS) });
  return socket;
}

/** All that arrives until the server says it is done. */
async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => (text += chunk));
  await once(socket, "end", { signal: AbortSignal.timeout(DEADLINE_MS) });
  return text;
}

/** A logger that remembers what was louder than debug, and calls back on every debug line. */
function listeningLogger(onDebug: (message: string) => void = () => {}): {
  log: Logger;
  loud: string[];
} {
  const loud: string[] = [];
  const keep = (_fields: object, message: string): void => void loud.push(message);
  const debug = (_fields: object, message: string): void => onDebug(message);
  const log: Logger = { debug, info: keep, warn: keep, error: keep, fatal: keep, child: () => log };
  return { log, loud };
}

describe("openOpsServer", () => {
  describe("probes", () => {
    for (const [path, status, body] of [
      ["/livez", 200, "ok"],
      ["/startupz", 200, "ok"],
      [
        "/readyz",
        503,
        "[-]phase failed: phase is draining\n[+]workers ok\n[+]app ok\n[+]endpoints ok\nreadyz check failed\n",
      ],
      ["/healthz?exclude=phase", 200, "ok"],
      [
        "/readyz?exclude=phase&exclude=app&verbose",
        200,
        "[+]phase excluded: ok\n[+]workers ok\n[+]app excluded: ok\n[+]endpoints ok\nreadyz check passed\n",
      ],
      ["/livez?verbose", 200, "[+]supervisor ok\n[+]workers ok\nlivez check passed\n"],
      [
        "/livez?verbose&exclude=etcd",
        200,
        '[+]supervisor ok\n[+]workers ok\nwarn: some health checks cannot be excluded: no matches for "etcd"\nlivez check passed\n',
      ],
      ["/readyz/workers", 200, "ok"],
      ["/readyz/", 503, undefined],
      ["/readyz/phase", 503, "[-]phase failed: phase is draining\nreadyz check failed\n"],
      [
        "/readyz/etcd",
        404,
        "readyz has no such check; its checks are phase, workers, app, endpoints\n",
      ],
      ["http://anything.example/livez", 200, "ok"],
      ["/livez/workers/deeper", 404, undefined],
      ["/metrics/x", 404, undefined],
      ["/status/x", 404, undefined],
    ] as const) {
      it(`answers ${path} with ${status} while draining`, async (t) => {
        const server = await open(t, { current: () => snapshotFixture({ phase: "draining" }) });
        const reply = await ask(server, path);
        assert.equal(reply.status, status);
        if (body !== undefined) assert.equal(reply.body.toString(), body);
        assert.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
        assert.equal(reply.headers["cache-control"], "no-store");
        assert.equal(reply.headers["x-content-type-options"], "nosniff");
      });
    }

    it("answers in application/health+json on request", async (t) => {
      const reply = await ask(await open(t), "/readyz", {
        headers: { accept: "application/health+json" },
      });
      assert.equal(reply.headers["content-type"], "application/health+json");
      assert.equal(JSON.parse(reply.body.toString()).status, "pass");
    });

    it("answers HEAD with the same headers and no body", async (t) => {
      const reply = await ask(await open(t), "/readyz", { method: "HEAD" });
      assert.equal(reply.status, 200);
      assert.equal(reply.headers["content-length"], "2");
      assert.equal(reply.body.length, 0);
    });

    it("needs no Host header", async (t) => {
      const socket = await dial(t, await open(t));
      socket.write("GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n");
      assert.match(await readAll(socket), /^HTTP\/1\.1 200 [^]*\r\n\r\nok$/);
    });
  });

  it("lists its paths at / and beside a 404", async (t) => {
    const server = await open(t);
    for (const [path, status] of [
      ["/", 200],
      ["/nope", 404],
    ] as const) {
      const reply = await ask(server, path);
      assert.equal(reply.status, status);
      assert.match(reply.body.toString(), /\/livez[^]*\/metrics[^]*\/status/);
    }
  });

  it("refuses other methods and does not read their bodies", async (t) => {
    const socket = await dial(t, await open(t));
    socket.write("POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
    const text = await readAll(socket);
    assert.match(text, /^HTTP\/1\.1 405 /);
    assert.match(text, /\r\nAllow: GET, HEAD\r\n/);
    assert.match(text, /\r\nConnection: close\r\n/i);
  });

  it("shows the status as JSON", async (t) => {
    const reply = await ask(await open(t), "/status");
    assert.equal(reply.headers["content-type"], "application/json; charset=utf-8");
    assert.equal(JSON.parse(reply.body.toString()).phase, "ready");
  });

  it("shows the status to a browser as a page, with its policy", async (t) => {
    const html = "<style></style><script></script>";
    const server = await open(t, {
      readPage: async () => ({
        html,
        headers: { "Content-Security-Policy": "default-src 'none'" },
      }),
    });
    const accept = "text/html,*/*;q=0.8";
    const page = await ask(server, "/status", { headers: { accept } });
    assert.equal(page.headers["content-type"], "text/html; charset=utf-8");
    assert.equal(page.headers["content-security-policy"], "default-src 'none'");
    assert.equal(page.headers["cache-control"], "no-store");
    assert.equal(page.headers["vary"], "Accept, Accept-Encoding");
    assert.equal(page.body.toString(), html);
    const headers = { accept, "accept-encoding": "gzip" };
    const packed = await ask(server, "/status", { headers });
    assert.equal(gunzipSync(packed.body).toString(), html);
    const json = await ask(server, "/status?json", { headers: { accept } });
    assert.equal(json.headers["content-type"], "application/json; charset=utf-8");
  });

  describe("/metrics", () => {
    it("gives fresh reports 25 ms, or what the scraper leaves", async (t) => {
      const asked: number[] = [];
      const server = await open(t, {
        refresh: async (withinMs) => {
          asked.push(withinMs);
          return snapshotFixture();
        },
      });
      for (const timeout of [undefined, "10", "0.01", "nonsense", "-1"]) {
        await ask(
          server,
          "/metrics",
          timeout === undefined
            ? {}
            : { headers: { "X-Prometheus-Scrape-Timeout-Seconds": timeout } },
        );
      }
      assert.deepEqual(asked, [25, 25, 10, 25, 25]);
    });

    it("writes text 0.0.4 unless told otherwise", async (t) => {
      const reply = await ask(await open(t), "/metrics");
      assert.equal(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
      assert.equal(reply.headers["content-encoding"], undefined);
      assert.match(reply.body.toString(), /^outrigger_state\{state="ready"\} 1$/m);
    });

    it("writes OpenMetrics, gzipped, when both are asked for", async (t) => {
      const headers = {
        accept: "application/openmetrics-text;version=1.0.0",
        "accept-encoding": "gzip",
      };
      const reply = await ask(await open(t), "/metrics", { headers });
      assert.equal(
        reply.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
      );
      assert.equal(reply.headers["content-encoding"], "gzip");
      assert.equal(reply.headers["vary"], "Accept, Accept-Encoding");
      assert.equal(Number(reply.headers["content-length"]), reply.body.length);
      assert.ok(gunzipSync(reply.body).toString().endsWith("# EOF\n"));
    });

    it("answers 500 and goes on when something inside fails", async (t) => {
      const { log, loud } = listeningLogger();
      const server = await open(t, { log, refresh: () => Promise.reject(new Error("boom")) });
      const reply = await ask(server, "/metrics");
      assert.equal(reply.status, 500);
      assert.doesNotMatch(reply.body.toString(), /boom/);
      assert.deepEqual(loud, ["ops request failed"]);
      assert.equal((await ask(server, "/livez")).status, 200);
    });
  });

  describe("peers that are no HTTP clients", () => {
    it("closes connections that stay silent or stop half-way, without answering others later", async (t) => {
      const { log, loud } = listeningLogger();
      const server = await open(t, { log });
      const silent = await Promise.all(Array.from({ length: 50 }, () => dial(t, server)));
      const partial = await dial(t, server);
      partial.write("GET /livez HT");
      const began = performance.now();
      assert.equal((await ask(server, "/livez")).status, 200);
      await Promise.all([...silent, partial].map(readAll));
      assert.ok(performance.now() - began < 7_500, "closed after more than 7.5 s");
      assert.deepEqual(loud, []);
    });

    it("answers what is no HTTP with 400, and says so at debug only", async (t) => {
      const debug: string[] = [];
      const { log, loud } = listeningLogger((message) => debug.push(message));
      const socket = await dial(t, await open(t, { log }));
      socket.write("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET /livez HTTP/1.1\r\n\r\n");
      assert.match(await readAll(socket), /^HTTP\/1\.1 400 /);
      assert.deepEqual(debug, ["ops connection refused"]);
      assert.deepEqual(loud, []);
    });

    it("says nothing above debug of a reset", async (t) => {
      const { promise: refused, resolve } = Promise.withResolvers<string>();
      const { log, loud } = listeningLogger(resolve);
      const server = await open(t, { log });
      for (let index = 0; index < 20; index += 1) {
        const socket = await dial(t, server);
        socket.write("GET /livez HTTP/1.1\r\n");
        socket.resetAndDestroy();
      }
      assert.equal(await refused, "ops connection refused");
      assert.equal((await ask(server, "/livez")).status, 200);
      assert.deepEqual(loud, []);
    });
  });

  describe("close", () => {
    it("sends the answer that has begun, then refuses", async (t) => {
      const { promise: snapshot, resolve } = Promise.withResolvers<Snapshot>();
      const { promise: scraped, resolve: onScrape } = Promise.withResolvers<void>();
      const server = await open(t, {
        refresh: () => {
          onScrape();
          return snapshot;
        },
      });
      const asked = ask(server, "/metrics");
      await scraped;
      const closed = server.close();
      assert.equal(server.close(), closed);
      resolve(snapshotFixture());
      const reply = await asked;
      assert.equal(reply.status, 200);
      assert.equal(reply.headers["connection"], "close");
      await closed;
      await assert.rejects(ask(server, "/livez"), { code: "ECONNREFUSED" });
    });

    it("does not wait for idle and silent connections", async (t) => {
      const server = await open(t);
      const agent = new Agent({ keepAlive: true });
      t.after(() => agent.destroy());
      await ask(server, "/livez", { agent });
      await dial(t, server);
      const began = performance.now();
      await server.close();
      assert.ok(performance.now() - began < 900);
    });

    it("cuts an answer that takes more than a second", async (t) => {
      const { promise: never } = Promise.withResolvers<Snapshot>();
      const { promise: scraped, resolve: onScrape } = Promise.withResolvers<void>();
      const server = await open(t, {
        refresh: () => {
          onScrape();
          return never;
        },
      });
      const asked = assert.rejects(ask(server, "/metrics"), { code: "ECONNRESET" });
      await scraped;
      await server.close();
      await asked;
    });
  });

  describe("listening", () => {
    it("says who is asked to move when the address is taken", async (t) => {
      const { address } = await open(t);
      await assert.rejects(open(t, { endpoint: address }), (error) => {
        assert.ok(error instanceof OutriggerError);
        assert.equal(error.code, "ERR_LISTEN");
        assert.equal(
          error.message,
          `Cannot listen on ops endpoint 127.0.0.1:${address.port}: address already in use; ` +
            "stop the process that holds it or choose another --ops HOST:PORT or --ops off",
        );
        return true;
      });
    });

    for (const [host, message] of [
      [
        "192.0.2.1",
        /^Cannot listen on ops endpoint 192\.0\.2\.1:0: this machine has no such address; /,
      ],
      ["no-such-host.invalid", /^Cannot listen on ops endpoint no-such-host\.invalid:0: /],
    ] as const) {
      it(`explains why it cannot listen on ${host}`, async (t) => {
        await assert.rejects(open(t, { endpoint: { host, port: 0 } }), {
          code: "ERR_LISTEN",
          message,
        });
      });
    }

    it("reports the port the system chose, on IPv6 as well", async (t) => {
      const server = await open(t, { endpoint: { host: "::1", port: 0 } });
      assert.equal(server.address.host, "::1");
      assert.notEqual(server.address.port, 0);
      assert.equal((await ask(server, "/livez")).status, 200);
    });
  });
});

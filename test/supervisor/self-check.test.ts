import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createCheckTarget, createEndToEndCheck } from "../../src/supervisor/self-check.ts";
import { within } from "../helpers/deadline.ts";
import { needs } from "../helpers/needs.ts";
import { onEnd } from "../helpers/scope.ts";
import { keepListening } from "../helpers/socket-keeper.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 5_000;
const never = new AbortController().signal;
const check = createEndToEndCheck("/check");

/** A server that does this with every connection that has sent something; resolves to its path. */
async function serve(t: TestContext, answer: (socket: Socket) => void): Promise<string> {
  const path = join(await tempDir(t), "s");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.once("data", () => answer(socket));
  }).listen(path);
  await once(server, "listening");
  onEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

/** The code with which a connection is refused. */
async function knockFull(path: string): Promise<unknown> {
  const [error] = await once(
    connect({ path }).once("error", () => {}),
    "error",
  );
  return error.code;
}

describe("createEndToEndCheck", () => {
  it("waits for room in a queue that is full", needs("perl"), async (t) => {
    const path = join(await tempDir(t), "s");
    const fd = keepListening(t, { path }, 0);
    const first = connect({ path });
    onEnd(t, () => first.destroy());
    await within(DEADLINE_MS, once(first, "connect"), "the connection that fills the queue");
    const given = new AbortController();
    const inVain = assert.rejects(check({ path }, given.signal), { code: "ERR_LISTEN" });
    assert.equal(await knockFull(path), "EAGAIN");
    given.abort();
    await within(DEADLINE_MS, inVain, "the check to be given up");
    const answered = check({ path }, never);
    const server = http.createServer((_request, response) => void response.end());
    onEnd(t, () => server.close());
    server.listen({ fd });
    await within(DEADLINE_MS, answered, "the check");
  });

  it("resolves when it is answered 200", async (t) => {
    const path = await serve(t, (socket) =>
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    );
    await within(DEADLINE_MS, check({ path }, never), "the check");
  });

  it("is content with any answer where a worker need only have accepted", async (t) => {
    const path = await serve(t, (socket) =>
      socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
    );
    const checkAccepted = createEndToEndCheck("/check", "accepted");
    await within(DEADLINE_MS, checkAccepted({ path }, never), "the check");
    await within(DEADLINE_MS, check({ path }, never, "accepted"), "the check of a shared socket");
    const broken = await serve(t, (socket) => socket.end("HTTP/1.1 503 Serv"));
    await assert.rejects(checkAccepted({ path: broken }, never), { code: "ERR_LISTEN" });
  });

  for (const [what, answer] of [
    ["another status", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"],
    ["an answer that breaks off in its head", "HTTP/1.1 200 OK\r\nContent-"],
    ["an answer that breaks off in its body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"],
    ["something that is not HTTP", "hello\r\n\r\n"],
    ["nothing", ""],
  ] as const) {
    it(`rejects on ${what}`, async (t) => {
      const path = await serve(t, (socket) => socket.end(answer));
      const checked = within(DEADLINE_MS, check({ path }, never), "the check");
      await assert.rejects(checked, { code: "ERR_LISTEN", message: new RegExp(path) });
    });
  }

  it("rejects where nobody listens", async (t) => {
    const path = join(await tempDir(t), "missing");
    await assert.rejects(check({ path }, never), { code: "ERR_LISTEN", message: /ENOENT/ });
  });

  for (const [when, begin] of [
    ["before an answer", ""],
    ["in the middle of an answer", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"],
  ] as const) {
    it(`rejects when it is aborted ${when}`, async (t) => {
      const given = new AbortController();
      const path = await serve(t, (socket) =>
        socket.write(begin, () => setImmediate(() => given.abort())),
      );
      const checked = within(DEADLINE_MS, check({ path }, given.signal), "the check");
      await assert.rejects(checked, { code: "ERR_LISTEN" });
    });
  }
});

describe("createCheckTarget", () => {
  it("never gives the same twice", () => {
    assert.notEqual(createCheckTarget(), createCheckTarget());
  });
});

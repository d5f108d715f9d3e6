import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { describe, it } from "node:test";
import { serveCode } from "../helpers/app-file.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { get, openSession, read } from "../helpers/http2-client.ts";
import { errorLines } from "../helpers/log-count.ts";
import { STOPPED } from "../helpers/stopping.ts";

const DEADLINE_MS = 15_000;
const APP = `import http2 from "node:http2";
const server = http2.createServer();
const known = new Set();
server.on("session", (session) => known.add(session));
server.on("stream", (stream, headers, flags, raw) => {
  const path = headers[":path"];
  if (path === "/throw") throw new Error("It cannot");
  if (path === "/late") {
    stream.respond({ ":status": 200 });
    stream.write("begun");
    throw new Error("It cannot go on");
  }
  if (path === "/hang") return;
  if (path === "/echo") {
    stream.respond({ ":status": 200 });
    return void stream.pipe(stream);
  }
  stream.respond({ ":status": 203 });
  stream.end(JSON.stringify({ isKnown: known.has(stream.session), id: headers["x-request-id"], raw }));
});
server.listen(process.env.PORT ?? 3000);
`;

describe("an app whose HTTP/2 server listens for streams", () => {
  it("is given sessions and streams, which are counted and logged as requests", async (t) => {
    const { socketPath, program, sum } = await serveCode(t, APP);
    const session = openSession(t, socketPath);
    const sent = { ":path": "/known?a=1", "x-request-id": "from-nginx", "x-one": "1" };
    const { status, body } = await read(session.request(sent));
    const { isKnown, id, raw } = JSON.parse(body.toString()) as Record<string, unknown>;
    assert.deepEqual([status, isKnown, id], [203, true, "from-nginx"]);
    assert.ok(Array.isArray(raw) && raw.includes("x-one"));
    const line = await program.line("request");
    const { method, path, status: logged, bytes, request_id: named } = line;
    assert.deepEqual(
      [method, path, logged, bytes, named],
      ["GET", "/known?a=1", 203, body.length, "from-nginx"],
    );
    assert.equal(await sum("http_server_request_duration_seconds_count", { status: "2xx" }), 1);
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), STOPPED);
    assert.deepEqual(errorLines(program), []);
  });

  it("costs a client 500, or its stream, where it throws", async (t) => {
    const { socketPath, program } = await serveCode(t, APP);
    const session = openSession(t, socketPath);
    assert.equal((await get(session, "/throw")).status, 500);
    await assert.rejects(get(session, "/late"), /NGHTTP2_INTERNAL_ERROR/);
    assert.equal((await get(session, "/")).status, 203);
    const failed = program.lines.filter(({ msg }) => msg === "app failed a request");
    assert.deepEqual(
      failed.map(({ path }) => path),
      ["/throw", "/late"],
    );
  });

  it("goes on when a client takes its request back", async (t) => {
    const { socketPath, program, sum } = await serveCode(t, APP);
    const session = openSession(t, socketPath);
    const stream = session.request({ ":path": "/hang" });
    const inFlight = async (count: number): Promise<true | undefined> =>
      (await sum("outrigger_endpoint_requests_in_flight")) === count || undefined;
    await eventually(DEADLINE_MS, () => inFlight(1), "the request to begin");
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await eventually(DEADLINE_MS, () => inFlight(0), "the request to end");
    await program.line(({ msg, status }) => msg === "request" && status === 499);
    assert.equal((await get(session, "/")).status, 203);
  });

  it("keeps to the limits of a request", async (t) => {
    const args = ["--max-body-size", "1Ki", "--max-request-line", "1Ki"];
    const { socketPath, sum } = await serveCode(t, APP, { args });
    const session = openSession(t, socketPath);
    assert.equal((await get(session, `/${"x".repeat(1_024)}`)).status, 414);
    const post = { ":method": "POST", ":path": "/echo" };
    const announced = session.request({ ...post, "content-length": 1_025 }, { endStream: false });
    const [head] = (await within(DEADLINE_MS, once(announced.resume(), "response"), "413")) as [
      http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
    ];
    assert.equal(head[":status"], 413);
    const allowed = session.request(post);
    const answer = read(allowed);
    allowed.end(Buffer.alloc(1_024));
    assert.equal((await answer).body.length, 1_024);
    const excessive = session.request(post);
    excessive.on("error", () => {});
    excessive.resume().write(Buffer.alloc(1_025));
    const closed = new Promise((resolve) => excessive.once("close", resolve));
    await within(DEADLINE_MS, closed, "the end of the stream");
    assert.equal(excessive.rstCode, http2.constants.NGHTTP2_INTERNAL_ERROR);
    const rejected = "outrigger_endpoint_connections_rejected_total";
    assert.equal(await sum(rejected, { reason: "body_too_large" }), 2);
    assert.equal(await sum(rejected, { reason: "request_line_too_long" }), 1);
    assert.equal(await sum("outrigger_endpoint_requests_in_flight"), 0);
  });
});

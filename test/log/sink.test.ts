import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createAccessLog } from "../../src/log/access.ts";
import { openSink } from "../../src/log/sink.ts";

function openFile(t: TestContext): { fd: number; path: string } {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-sink-"));
  const path = join(folder, "log");
  const fd = openSync(path, "w");
  t.after(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  return { fd, path };
}

describe("openSink", () => {
  it("writes to a file, now and later", async (t) => {
    const { fd, path } = openFile(t);
    const sink = openSink(fd);
    assert.equal(sink.isPipe, false);
    const { promise, resolve } = Promise.withResolvers<number>();
    sink.write(Buffer.from("one\n"), (error, written) =>
      resolve(error === undefined ? written : -1),
    );
    assert.equal(await promise, 4);
    assert.equal(sink.writeSync(Buffer.from("two\n")), 4);
    assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
  });

  it("tells that a socket is to be written to in small pieces", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const socket = connect(address.port, "127.0.0.1");
    t.after(() => socket.destroy());
    await once(socket, "connect");
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    assert.equal(openSink(fd).isPipe, true);
  });

  it("reports a closed descriptor instead of throwing", async () => {
    const sink = openSink(99_999);
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    sink.write(Buffer.from("x"), resolve);
    assert.match(String(await promise), /EBADF/);
  });

  it("carries an access log", async (t) => {
    const { fd, path } = openFile(t);
    const log = createAccessLog({ format: "combined", sink: openSink(fd) });
    const entry = {
      endpoint: "app",
      client: "unix",
      method: "GET",
      target: "/",
      httpVersion: "1.1",
      status: 200,
    };
    for (let index = 0; index < 2000; index += 1) {
      log.record({
        ...entry,
        responseBytes: index,
        durationSeconds: 0,
        endedAtMs: 0,
        referer: undefined,
        userAgent: undefined,
        requestId: undefined,
        trace: undefined,
        reason: undefined,
      });
    }
    await log.close();
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    assert.equal(lines.length, 2000);
    assert.match(lines.at(-1) ?? "", /^unix - - \[.*\] "GET \/ HTTP\/1\.1" 200 1999 "-" "-"$/);
  });
});

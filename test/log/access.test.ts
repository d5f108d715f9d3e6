import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AccessEntry } from "../../src/log/access-entry.ts";
import { createAccessLog } from "../../src/log/access.ts";
import type { Clock } from "../../src/lifecycle/deadline.ts";
import type { Sink } from "../../src/log/sink.ts";

const NOW_MS = Date.UTC(2026, 10, 2, 14, 20, 5, 67);
const PIPE_BUF = 4096;

const frozenClock: Clock = { now: () => NOW_MS, after: () => () => {} };

function entryFixture(overrides: Partial<AccessEntry> = {}): AccessEntry {
  return {
    endpoint: "app",
    client: "unix",
    method: "GET",
    target: "/x?y=1",
    httpVersion: "1.1",
    status: 200,
    responseBytes: 68,
    durationSeconds: 0.0012345,
    endedAtMs: NOW_MS,
    referer: undefined,
    userAgent: "curl/8",
    requestId: undefined,
    trace: undefined,
    reason: undefined,
    ...overrides,
  };
}

type Look = { format: "json" | "combined"; style?: "json" | "pretty" };

async function lineOf(look: Look, entry: Partial<AccessEntry> = {}): Promise<string> {
  let written = "";
  const sink: Sink = {
    isPipe: true,
    write(bytes, done) {
      written += bytes.toString("utf8");
      queueMicrotask(() => done(undefined, bytes.length));
    },
    writeSync: (bytes) => bytes.length,
  };
  const log = createAccessLog({ ...look, sink, clock: frozenClock });
  log.record(entryFixture(entry));
  await log.close();
  assert.ok(written.endsWith("\n"));
  return written.slice(0, -1);
}

async function fieldsOf(entry: Partial<AccessEntry>): Promise<Record<string, unknown>> {
  return JSON.parse(await lineOf({ format: "json" }, entry));
}

describe("createAccessLog", () => {
  it("writes nothing when it is off", async () => {
    const sink: Sink = {
      isPipe: false,
      write: () => assert.fail("wrote"),
      writeSync: () => assert.fail("wrote"),
    };
    const log = createAccessLog({ format: "off", sink });
    log.record(entryFixture());
    log.flushSync();
    await log.flush();
    await log.close();
  });

  describe("json", () => {
    it("writes a line as pino would", async () => {
      assert.equal(
        await lineOf({ format: "json" }),
        `{"level":30,"time":${NOW_MS},"pid":${process.pid},"msg":"request","endpoint":"app","client":"unix",` +
          '"method":"GET","path":"/x?y=1","status":200,"bytes":68,"duration_ms":1.235,"user_agent":"curl/8"}',
      );
    });

    it("leaves out what the peer did not send", async () => {
      const fields = await fieldsOf({ userAgent: undefined });
      assert.equal("user_agent" in fields, false);
      assert.equal("referer" in fields, false);
      assert.equal((await fieldsOf({ referer: "http://a/" }))["referer"], "http://a/");
    });

    for (const [seconds, milliseconds] of [
      [0, 0],
      [0.000001, 0.001],
      [0.00001, 0.01],
      [0.0001, 0.1],
      [0.0999996, 100],
      [1.5, 1500],
      [3600.123456, 3600123.456],
      [-1, 0],
    ] as const) {
      it(`writes ${seconds} s as ${milliseconds} ms`, async () => {
        assert.equal((await fieldsOf({ durationSeconds: seconds }))["duration_ms"], milliseconds);
      });
    }

    for (const text of [
      'quote " backslash \\',
      "line\nbreak\r\ttab",
      "\u0000\u001b[31mred\u007f",
      "latin \u00e9 euro \u20ac emoji \ud83d\ude00 \u2028",
      '","level":60,"msg":"forged',
      "",
    ]) {
      it(`gives ${JSON.stringify(text)} back unharmed, in ASCII`, async () => {
        const entry = {
          target: text,
          userAgent: text,
          referer: text,
          endpoint: text,
          client: text,
          method: text,
        };
        assert.match(await lineOf({ format: "json" }, entry), /^[ -~]+$/);
        const fields = await fieldsOf(entry);
        for (const key of ["path", "user_agent", "referer", "endpoint", "client"])
          assert.equal(fields[key], text);
        assert.equal(fields["level"], 30);
      });
    }

    it("cuts long fields and marks them", async () => {
      const long = "a".repeat(5000);
      const fields = await fieldsOf({ target: long, userAgent: long, referer: long });
      assert.equal(fields["path"], `${"a".repeat(1024)}…`);
      assert.equal(fields["user_agent"], `${"a".repeat(256)}…`);
      assert.equal(fields["referer"], `${"a".repeat(256)}…`);
    });
  });

  describe("combined", () => {
    it("writes Apache's format with unix for the client", async () => {
      assert.equal(
        await lineOf({ format: "combined" }, { client: "unix", referer: "http://a/" }),
        'unix - - [02/Nov/2026:14:20:05 +0000] "GET /x?y=1 HTTP/1.1" 200 68 "http://a/" "curl/8"',
      );
    });

    it("writes - for what the peer did not send", async () => {
      assert.match(
        await lineOf({ format: "combined" }, { userAgent: undefined }),
        / 200 68 "-" "-"$/,
      );
    });

    it("escapes as nginx does", async () => {
      const line = await lineOf(
        { format: "combined" },
        { target: '/"\\\n\u0000\u00e9', userAgent: "\u007f\u20ac" },
      );
      assert.match(line, /"GET \/\\x22\\x5C\\x0A\\x00\\xE9 HTTP\/1\.1"/);
      assert.ok(line.endsWith('"\\x7F\\u20ac"'));
    });
  });

  describe("pretty", () => {
    it("writes lines for people", async () => {
      const line = await lineOf({ format: "json", style: "pretty" });
      assert.match(line, /^\d\d:\d\d:05\.067 GET \/x\?y=1 200 68B 1\.2ms app unix$/);
    });

    it("does not let a peer write to the terminal", async () => {
      assert.match(
        await lineOf({ format: "json", style: "pretty" }, { target: "\u001b[2J" }),
        /GET \\x1B\[2J 200/,
      );
    });
  });

  for (const look of [
    { format: "json" },
    { format: "combined" },
    { format: "json", style: "pretty" },
  ] as const) {
    for (const character of ["\u0000", '"', "\u00ff", "\u20ac", "\ud83d\ude00", "\ud83d"]) {
      it(`keeps a hostile ${JSON.stringify(character)} line of ${JSON.stringify(look)} below PIPE_BUF`, async () => {
        const hostile = character.repeat(20_000);
        const line = await lineOf(look, {
          target: hostile,
          userAgent: hostile,
          referer: hostile,
          client: hostile,
          method: hostile,
          requestId: "x".repeat(128),
          trace: { traceId: "a".repeat(32), spanId: "b".repeat(16) },
          reason: "request_line_too_long",
        });
        assert.ok(line.length < PIPE_BUF, `${line.length} bytes`);
        assert.match(line, /^[ -~]+$/);
      });
    }
  }
});

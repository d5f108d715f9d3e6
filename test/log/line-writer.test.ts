import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/lifecycle/deadline.ts";
import { LineWriter } from "../../src/log/line-writer.ts";
import type { Sink } from "../../src/log/sink.ts";

const LINE = `${"x".repeat(99)}\n`;
/** As many as make 256 KB. */
const BATCH_LINES = 2_622;
const LINES_PER_MEGABYTE = Math.floor(1_048_576 / LINE.length);

type Outcome = number | "EAGAIN" | "EPIPE" | "ENOSPC";

/** A sink whose writes end when the test says so. */
class FakeSink implements Sink {
  readonly isPipe: boolean;
  readonly writes: string[] = [];
  readonly syncWrites: string[] = [];
  syncOutcomes: Outcome[] = [];
  #waiting: ((outcome: Outcome | undefined) => void) | undefined;

  constructor(kind: "pipe" | "file" = "file") {
    this.isPipe = kind === "pipe";
  }

  write(bytes: Buffer, done: (error: Error | undefined, written: number) => void): void {
    assert.equal(this.#waiting, undefined, "two writes at once");
    this.writes.push(bytes.toString());
    this.#waiting = (outcome = bytes.length) => {
      this.#waiting = undefined;
      if (typeof outcome === "number") done(undefined, outcome);
      else done(systemError(outcome), 0);
    };
  }

  writeSync(bytes: Buffer): number {
    const outcome = this.syncOutcomes.shift() ?? bytes.length;
    if (typeof outcome !== "number") throw systemError(outcome);
    this.syncWrites.push(bytes.subarray(0, outcome).toString());
    return outcome;
  }

  get isBusy(): boolean {
    return this.#waiting !== undefined;
  }

  /** Ends the write under way; all of it is taken unless told otherwise. */
  async end(outcome?: Outcome): Promise<void> {
    assert.ok(this.#waiting, "no write is under way");
    this.#waiting(outcome);
    await settle();
  }

  async endAll(): Promise<void> {
    while (this.isBusy) await this.end();
  }
}

/** Timers that fire when the test says so. */
class FakeClock implements Clock {
  readonly timers: { delayMs: number; callback: () => void }[] = [];

  now(): number {
    return 0;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { delayMs, callback };
    this.timers.push(timer);
    return () => {
      const index = this.timers.indexOf(timer);
      if (index >= 0) this.timers.splice(index, 1);
    };
  }

  async fire(): Promise<void> {
    for (const { callback } of this.timers.splice(0)) callback();
    await settle();
  }
}

/** Lets promises that are settled run their continuations. */
function settle(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function setUp(kind: "pipe" | "file" = "file"): {
  sink: FakeSink;
  clock: FakeClock;
  writer: LineWriter;
} {
  const sink = new FakeSink(kind);
  const clock = new FakeClock();
  const writer = new LineWriter({ sink, clock, describeDropped: (count) => `dropped ${count}\n` });
  return { sink, clock, writer };
}

function append(writer: LineWriter, lines: number): void {
  for (let index = 0; index < lines; index += 1) writer.append(LINE);
}

describe("LineWriter", () => {
  it("writes 250 ms after the first line, once", async () => {
    const { sink, clock, writer } = setUp();
    append(writer, 3);
    assert.deepEqual(
      clock.timers.map((timer) => timer.delayMs),
      [250],
    );
    assert.deepEqual(sink.writes, []);
    await clock.fire();
    await sink.endAll();
    assert.deepEqual(sink.writes, [LINE.repeat(3)]);
    assert.deepEqual(clock.timers, []);
  });

  it("writes at once when 256 KB have gathered, and takes the timer back", async () => {
    const { sink, clock, writer } = setUp();
    append(writer, BATCH_LINES);
    assert.equal(sink.writes.length, 1);
    assert.deepEqual(clock.timers, []);
    await sink.endAll();
    assert.equal(sink.writes.join(""), LINE.repeat(BATCH_LINES));
  });

  it("keeps batching what arrives while a write is under way", async () => {
    const { sink, clock, writer } = setUp();
    append(writer, BATCH_LINES);
    append(writer, 1000);
    await sink.endAll();
    assert.ok(sink.writes.every((text, index) => index <= 1 || text.length > 90_000));
    assert.deepEqual(
      clock.timers.map((timer) => timer.delayMs),
      [250],
    );
    await clock.fire();
    await sink.endAll();
    assert.equal(sink.writes.join(""), LINE.repeat(BATCH_LINES + 1000));
  });

  it("writes whole lines of at most PIPE_BUF bytes to a pipe", async () => {
    const { sink, writer } = setUp("pipe");
    append(writer, 1000);
    const flushed = writer.flush();
    await sink.endAll();
    await flushed;
    assert.ok(sink.writes.every((text) => text.length <= 4096 && text.endsWith("\n")));
    assert.equal(sink.writes.join(""), LINE.repeat(1000));
  });

  it("writes the rest after a part was taken", async () => {
    const { sink, writer } = setUp();
    writer.append("abcdef\n");
    const flushed = writer.flush();
    await sink.end(3);
    await sink.end();
    await flushed;
    assert.deepEqual(sink.writes, ["abcdef\n", "def\n"]);
  });

  it("tries again when the pipe is full", async () => {
    const { sink, clock, writer } = setUp("pipe");
    writer.append(LINE);
    const flushed = writer.flush();
    await sink.end("EAGAIN");
    assert.deepEqual(
      clock.timers.map((timer) => timer.delayMs),
      [10],
    );
    await clock.fire();
    await sink.end();
    await flushed;
    assert.deepEqual(sink.writes, [LINE, LINE]);
  });

  it("holds a megabyte, drops what is beyond, and says how many when there is room", async () => {
    const { sink, writer } = setUp();
    append(writer, LINES_PER_MEGABYTE + 5);
    const closed = writer.close();
    await sink.endAll();
    await closed;
    const text = sink.writes.join("");
    assert.equal(text.split(LINE).length - 1, LINES_PER_MEGABYTE);
    assert.equal(text.split("dropped 5\n").length - 1, 1);
  });

  for (const code of ["EPIPE", "ENOSPC"] as const) {
    it(`drops what ${code} refuses and carries on with the next line`, async () => {
      const { sink, clock, writer } = setUp();
      append(writer, 2);
      const flushed = writer.flush();
      await sink.end(code);
      await flushed;
      assert.deepEqual(clock.timers, [], "nothing is tried again on its own");
      writer.append("next\n");
      const second = writer.flush();
      await sink.endAll();
      await second;
      assert.deepEqual(sink.writes.slice(1), ["dropped 2\nnext\n"]);
    });
  }

  it("resolves flush() at once when there is nothing to write", async () => {
    const { sink, writer } = setUp();
    await writer.flush();
    assert.deepEqual(sink.writes, []);
  });

  it("flushes lines that came while a write was under way", async () => {
    const { sink, writer } = setUp();
    writer.append("one\n");
    void writer.flush();
    writer.append("two\n");
    const second = writer.flush();
    await sink.endAll();
    await second;
    assert.deepEqual(sink.writes, ["one\n", "two\n"]);
  });

  it("writes all out on close and ignores later lines", async () => {
    const { sink, clock, writer } = setUp();
    writer.append("one\n");
    const closed = writer.close();
    writer.append("late\n");
    await sink.endAll();
    await closed;
    await clock.fire();
    assert.deepEqual(sink.writes, ["one\n"]);
  });

  describe("flushSync", () => {
    it("writes what is gathered, and nothing twice", async () => {
      const { sink, clock, writer } = setUp();
      append(writer, 2);
      writer.flushSync();
      await clock.fire();
      assert.deepEqual(sink.syncWrites, [LINE.repeat(2)]);
      assert.deepEqual(sink.writes, []);
    });

    it("leaves the write under way to the sink", async () => {
      const { sink, writer } = setUp();
      writer.append("one\n");
      const flushed = writer.flush();
      writer.append("two\n");
      writer.flushSync();
      await sink.endAll();
      await flushed;
      assert.deepEqual(sink.writes, ["one\n"]);
      assert.deepEqual(sink.syncWrites, ["two\n"]);
    });

    it("takes over a write that waits for a full pipe", async () => {
      const { sink, clock, writer } = setUp("pipe");
      writer.append("one\n");
      const flushed = writer.flush();
      await sink.end("EAGAIN");
      writer.flushSync();
      await clock.fire();
      await flushed;
      assert.deepEqual(sink.writes, ["one\n"]);
      assert.deepEqual(sink.syncWrites, ["one\n"]);
    });

    it("goes on after a part and after EAGAIN, and gives up on any other error", () => {
      const { sink, writer } = setUp("pipe");
      writer.append("abcdef\n");
      sink.syncOutcomes = [3, "EAGAIN"];
      writer.flushSync();
      assert.deepEqual(sink.syncWrites, ["abc", "def\n"]);
      writer.append("more\n");
      sink.syncOutcomes = ["EPIPE"];
      assert.doesNotThrow(() => writer.flushSync());
      assert.deepEqual(sink.syncWrites, ["abc", "def\n"]);
    });
  });
});

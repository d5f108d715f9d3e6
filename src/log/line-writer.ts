import { errnoOf } from "../errors.ts";
import type { Clock } from "../lifecycle/deadline.ts";
import type { Sink } from "./sink.ts";

/** Larger writes to a pipe are not atomic: lines of several workers would mix (PIPE_BUF of Linux). */
const PIPE_CHUNK_BYTES = 4_096;
/** Each write wakes a thread: larger ones cost less for a line. */
const FILE_CHUNK_BYTES = 262_144;
const BATCH_BYTES = 262_144;
const BATCH_INTERVAL_MS = 250;
const MAX_PENDING_BYTES = 1_048_576;
const RETRY_INTERVAL_MS = 10;
/** How often flushSync() asks a full pipe again, and how long it waits in between. */
const SYNC_RETRIES = 20;
const SYNC_RETRY_MS = 5;

export interface LineWriterOptions {
  readonly sink: Sink;
  readonly clock: Clock;
  /** Writes the line that says how many lines are missing. */
  readonly describeDropped: (count: number) => string;
}

/** Whole lines that are written together. */
interface Chunk {
  readonly size: number;
  readonly lines: number;
  /** What the lines were gathered in. */
  readonly buffer: Buffer;
  /** What the sink has not taken yet. */
  rest: Buffer;
}

/**
 * Gathers lines in memory and writes them in batches. One write is under way at a time; what cannot
 * be written is dropped and counted, for a log must not be what a server dies of.
 */
export class LineWriter {
  readonly #sink: Sink;
  readonly #clock: Clock;
  readonly #describeDropped: (count: number) => string;
  readonly #chunkBytes: number;

  /** Lines that are no chunk yet; a character is a byte, because lines are ASCII. */
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;
  /** One that was written out: a new one for each chunk is fresh pages every time, and work for the collector. */
  #spare: Buffer | undefined;
  #lines = 0;
  readonly #chunks: Chunk[] = [];
  /** Bytes of the text and of all chunks. */
  #pendingBytes = 0;
  #droppedLines = 0;
  #isClosed = false;
  /** The first chunk is with the sink, which will take it whether we live or not. */
  #isUnderWay = false;
  #cancelTimer: (() => void) | undefined;
  /** Settles when there are no chunks left; undefined when there are none. */
  #writing: Promise<void> | undefined;

  constructor({ sink, clock, describeDropped }: LineWriterOptions) {
    this.#sink = sink;
    this.#clock = clock;
    this.#describeDropped = describeDropped;
    this.#chunkBytes = sink.isPipe ? PIPE_CHUNK_BYTES : FILE_CHUNK_BYTES;
  }

  /** Takes an ASCII line with its line break, or drops it when too much is waiting. */
  append(line: string): void {
    if (this.#isClosed) return;
    if (this.#pendingBytes + line.length > MAX_PENDING_BYTES) {
      this.#droppedLines += 1;
      return;
    }
    if (this.#droppedLines > 0) this.#reportDropped();
    this.#gather(line);
    this.#lines += 1;
    // While a batch is being written, chunks that fill up join it; the rest waits for the timer.
    if (this.#writing !== undefined) return;
    if (this.#pendingBytes >= BATCH_BYTES) this.#startWriting();
    else this.#startTimer();
  }

  /** Resolves when every line taken so far is written or given up. */
  async flush(): Promise<void> {
    this.#startWriting();
    await this.#writing;
  }

  /** Writes at once whatever is not with the sink already; gives up on a pipe that stays full for 100 ms. */
  flushSync(): void {
    this.#seal();
    // Chunks stay in the queue without bytes; the next flush takes them off.
    for (const chunk of this.#chunks.slice(this.#isUnderWay ? 1 : 0)) {
      if (!this.#writeNow(chunk)) return;
    }
  }

  /** Writes everything out; lines that come later are ignored. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
    // Written or not, the first flush may have left a report about lines that are missing.
    if (this.#droppedLines > 0) this.#reportDropped();
    await this.flush();
    this.#cancelTimer?.();
  }

  #gather(line: string): void {
    if (this.#gatheredBytes + line.length > this.#chunkBytes) this.#seal();
    this.#gathered ??= this.#takeBuffer(line.length);
    // At once: flattening a long chain of strings costs more than making the lines did.
    this.#gatheredBytes += this.#gathered.write(line, this.#gatheredBytes, "latin1");
    this.#pendingBytes += line.length;
  }

  #takeBuffer(least: number): Buffer {
    const spare = this.#spare;
    if (spare === undefined || spare.length < least)
      return Buffer.allocUnsafe(Math.max(this.#chunkBytes, least));
    this.#spare = undefined;
    return spare;
  }

  /** Makes a chunk of the lines gathered so far. */
  #seal(): void {
    if (this.#gathered === undefined) return;
    const buffer = this.#gathered;
    const rest = buffer.subarray(0, this.#gatheredBytes);
    this.#chunks.push({ size: rest.length, lines: this.#lines, buffer, rest });
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    this.#lines = 0;
  }

  #reportDropped(): void {
    this.#gather(this.#describeDropped(this.#droppedLines));
    this.#droppedLines = 0;
  }

  #startTimer(): void {
    this.#cancelTimer ??= this.#clock.after(BATCH_INTERVAL_MS, () => this.#startWriting());
  }

  #startWriting(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#seal();
    if (this.#chunks.length > 0) this.#writing ??= this.#writeChunks();
  }

  async #writeChunks(): Promise<void> {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const isWritten = await this.#write(chunk);
      this.#chunks.shift();
      this.#pendingBytes -= chunk.size;
      this.#spare = chunk.buffer;
      if (!isWritten) this.#droppedLines += chunk.lines;
      // After a failure the report waits for the next line: else it would fail for ever in a loop.
      else if (this.#droppedLines > 0) this.#reportDropped();
    }
    this.#writing = undefined;
    if (this.#gathered !== undefined) this.#startTimer();
  }

  /** Resolves `false` when the bytes cannot be written. */
  async #write(chunk: Chunk): Promise<boolean> {
    while (chunk.rest.length > 0) {
      const { error, written } = await this.#writeOnce(chunk.rest);
      if (error === undefined) chunk.rest = chunk.rest.subarray(written);
      else if (errnoOf(error) === "EAGAIN") await this.#pause();
      else return false;
    }
    return true;
  }

  #writeOnce(bytes: Buffer): Promise<{ error: Error | undefined; written: number }> {
    const { promise, resolve } = Promise.withResolvers<{
      error: Error | undefined;
      written: number;
    }>();
    this.#isUnderWay = true;
    this.#sink.write(bytes, (error, written) => {
      this.#isUnderWay = false;
      resolve({ error, written });
    });
    return promise;
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#clock.after(RETRY_INTERVAL_MS, resolve);
    return promise;
  }

  #writeNow(chunk: Chunk): boolean {
    let retries = 0;
    while (chunk.rest.length > 0) {
      try {
        chunk.rest = chunk.rest.subarray(this.#sink.writeSync(chunk.rest));
      } catch (error) {
        if (errnoOf(error) !== "EAGAIN" || retries === SYNC_RETRIES) return false;
        retries += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SYNC_RETRY_MS);
      }
    }
    return true;
  }
}

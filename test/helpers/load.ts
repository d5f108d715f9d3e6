import { createHash, randomBytes } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { errnoOf } from "../../src/errors.ts";
import { within } from "./deadline.ts";
import { request } from "./http.ts";

export interface LoadOptions {
  /** (127.0.0.1) */
  readonly host?: string;
  /** Port of the proxy. */
  readonly port: number;
  /** Clients that ask, one request after the other (4). */
  readonly readers?: number;
  /** Clients that post small bodies (4). */
  readonly writers?: number;
  /** Clients that post slow bodies (6). */
  readonly uploaders?: number;
}

/** A request on its way. */
interface Attempt {
  readonly name: string;
  /** The proxy has accepted its connection for certain. */
  isTaken: boolean;
}

/** What came of one request. */
export interface Outcome {
  readonly name: string;
  /** `refused`: the proxy did not take the connection. */
  readonly result: "answered" | "refused" | "failed";
  readonly detail?: string;
}

const SLOW_CHUNKS = 12;
const SLOW_CHUNK_BYTES = 4_096;
const SLOW_INTERVAL_MS = 100;
const DEADLINE_MS = 30_000;

/** Mixed requests for the `hello.mjs` app through a proxy, each on a connection of its own. */
export class Load {
  readonly outcomes: Outcome[] = [];
  readonly #proxy: Pick<LoadOptions, "host" | "port">;
  readonly #clients: Promise<void>[];
  readonly #inFlight = new Set<Attempt>();
  readonly #waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  #isSending = true;

  constructor(options: LoadOptions) {
    const { readers = 4, writers = 4, uploaders = 6, ...proxy } = options;
    this.#proxy = proxy;
    this.#clients = [
      ...repeat(readers, (index) => this.#loop(`reader ${index}`, () => this.#read())),
      ...repeat(writers, (index) => this.#loop(`writer ${index}`, () => this.#write())),
      ...repeat(uploaders, (index) => this.#loop(`uploader ${index}`, () => this.#upload(index))),
    ];
  }

  get answered(): number {
    return this.outcomes.filter(({ result }) => result === "answered").length;
  }

  get failures(): Outcome[] {
    return this.outcomes.filter(({ result }) => result === "failed");
  }

  /** Resolves when `more` requests from now on were answered. */
  async answers(more: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ count: this.answered + more, resolve });
    await within(DEADLINE_MS, promise, `${more} answers under load`);
  }

  /**
   * Resolves with the number of requests in flight once the proxy has taken them all: its queue is
   * first come, first served, so when it answers a request sent now it has accepted those before.
   */
  async taken(): Promise<number> {
    const attempts = [...this.#inFlight];
    await request({ ...this.#proxy, path: "/nginx-ready" });
    for (const attempt of attempts) attempt.isTaken = true;
    return attempts.length;
  }

  /** Sends nothing new and resolves when every request has come to its end. */
  async end(): Promise<void> {
    this.#isSending = false;
    await this.refused();
  }

  /** Resolves when every client has met a proxy that does not take connections any more. */
  async refused(): Promise<void> {
    await within(DEADLINE_MS, Promise.all(this.#clients), "every client to come to its end");
  }

  async #loop(name: string, send: () => Promise<string | undefined>): Promise<void> {
    while (this.#isSending) {
      const attempt: Attempt = { name, isTaken: false };
      this.#inFlight.add(attempt);
      const outcome = await outcomeOf(attempt, send);
      this.#inFlight.delete(attempt);
      this.outcomes.push(outcome);
      for (const { count, resolve } of this.#waiters) if (this.answered >= count) resolve();
      if (outcome.result === "refused") return;
    }
  }

  async #read(): Promise<string | undefined> {
    const { status, text } = await request({ ...this.#proxy, path: "/slow?ms=5" });
    return status === 200 && text() === "slow\n" ? undefined : `${status} ${text()}`;
  }

  #write(): Promise<string | undefined> {
    const body = randomBytes(1_000);
    return this.#post(body, body);
  }

  /** Clients differ in pace, so that at any instant some bodies are half sent. */
  #upload(index: number): Promise<string | undefined> {
    const body = randomBytes(SLOW_CHUNKS * SLOW_CHUNK_BYTES);
    const intervalMs = SLOW_INTERVAL_MS * (0.5 + (index % 4) / 3);
    const trickle = Readable.from(slowly(body, intervalMs), { objectMode: false });
    return this.#post(trickle, body, { "content-length": body.length });
  }

  async #post(
    body: Buffer | Readable,
    whole: Buffer,
    headers: OutgoingHttpHeaders = {},
  ): Promise<string | undefined> {
    const { status, text } = await request({ ...this.#proxy, path: "/upload", body, headers });
    const sha256 = createHash("sha256").update(whole).digest("hex");
    const expected = JSON.stringify({ bytes: whole.length, sha256 });
    return status === 200 && text() === expected ? undefined : `${status} ${text()}`;
  }
}

/**
 * A connection that was reset before a byte of the answer had come waited in the queue that the proxy
 * closed: the proxy never had the request, its log tells about all it had.
 */
const NOT_TAKEN = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE"]);

async function outcomeOf(
  attempt: Attempt,
  send: () => Promise<string | undefined>,
): Promise<Outcome> {
  const { name } = attempt;
  try {
    const problem = await send();
    return problem === undefined
      ? { name, result: "answered" }
      : { name, result: "failed", detail: problem };
  } catch (error) {
    const isRefused = !attempt.isTaken && NOT_TAKEN.has(errnoOf(error) ?? "");
    return { name, result: isRefused ? "refused" : "failed", detail: String(error) };
  }
}

async function* slowly(body: Buffer, intervalMs: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += SLOW_CHUNK_BYTES) {
    await delay(intervalMs);
    yield body.subarray(at, at + SLOW_CHUNK_BYTES);
  }
}

function repeat<T>(count: number, create: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => create(index));
}

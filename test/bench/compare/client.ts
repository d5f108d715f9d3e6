import { randomBytes } from "node:crypto";
import { Agent } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { errnoOf } from "../../../src/errors.ts";
import { within } from "../../helpers/deadline.ts";
import { request } from "../../helpers/http.ts";

/** A request that was not answered as it should be. */
export interface Failure {
  readonly id: string;
  readonly method: "GET" | "POST";
  /** A status, the name of a network error, `wrong answer`, or `no answer` in 20 s. */
  readonly problem: string;
}

/** Clients that ask, and clients that post slow bodies, one request after the other each. */
const READERS = 8;
const WRITERS = 8;
const BODY = randomBytes(8_192);
const CHUNKS = 4;
const CHUNK_INTERVAL_MS = 10;
const REQUEST_DEADLINE_MS = 20_000;

/** The mixed load of every scenario: connections to the proxy are kept alive. */
export class Client {
  readonly failures: Failure[] = [];
  answered = 0;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #clients: readonly Promise<void>[];
  #sent = 0;
  #isSending = true;

  constructor(port: number) {
    this.#port = port;
    const repeat = (count: number, method: "GET" | "POST"): Promise<void>[] =>
      Array.from({ length: count }, () => this.#loop(method));
    this.#clients = [...repeat(READERS, "GET"), ...repeat(WRITERS, "POST")];
  }

  /** Requests that have come to an end. */
  get ended(): number {
    return this.answered + this.failures.length;
  }

  /** Sends nothing new and resolves when every request has come to its end. */
  async end(): Promise<void> {
    this.#isSending = false;
    await within(2 * REQUEST_DEADLINE_MS, Promise.all(this.#clients), "the load to end");
    this.#agent.destroy();
  }

  async #loop(method: "GET" | "POST"): Promise<void> {
    while (this.#isSending) {
      const id = `${method}-${(this.#sent += 1)}`;
      const problem = await this.#send(id, method).catch(
        (error: unknown) => errnoOf(error) ?? "no answer",
      );
      if (problem === undefined) this.answered += 1;
      else this.failures.push({ id, method, problem });
      // A proxy that cannot reach its server answers at once; that is no reason to hammer it.
      if (problem !== undefined) await delay(CHUNK_INTERVAL_MS);
    }
  }

  async #send(id: string, method: "GET" | "POST"): Promise<string | undefined> {
    const isPost = method === "POST";
    const { status, text } = await request({
      port: this.#port,
      path: `/${id}`,
      agent: this.#agent,
      deadlineMs: REQUEST_DEADLINE_MS,
      ...(isPost ? { body: slowBody(), headers: { "content-length": BODY.length } } : {}),
    });
    if (status !== 200) return String(status);
    return text() === `${id} ${isPost ? BODY.length : 0}\n` ? undefined : "wrong answer";
  }
}

function slowBody(): Readable {
  return Readable.from(slowly(), { objectMode: false });
}

async function* slowly(): AsyncGenerator<Buffer> {
  const size = BODY.length / CHUNKS;
  for (let at = 0; at < BODY.length; at += size) {
    yield BODY.subarray(at, at + size);
    await delay(CHUNK_INTERVAL_MS);
  }
}

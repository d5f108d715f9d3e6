import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { onEnd, type Scope } from "./scope.ts";

export interface SteadyClientOptions {
  readonly target: NetConnectOpts;
  /** What is asked for (`/`). */
  readonly path?: string;
  /** Time between a response and the next request (none); read anew each time. */
  readonly pauseMs?: () => number;
  /** Ends each connection after one request (no). */
  readonly closes?: boolean;
  /** Called with every response and the time it took. */
  readonly onAnswer?: (head: string, tookMs: number) => void;
}

/**
 * One kept-alive connection that asks again and again. It comes back on a new connection when a
 * response has announced the end of the old one, and at no other time: anything else is a failure.
 */
export class SteadyClient {
  answered = 0;
  /** Connections that ended as a response had announced. */
  sentAway = 0;
  readonly failures: string[] = [];
  /** Head of the last response. */
  lastHead = "";
  readonly #options: SteadyClientOptions;
  readonly #request: string;
  readonly #ended: Promise<void>;
  #socket: Socket | undefined;
  #isStopped = false;

  constructor(scope: Scope, options: SteadyClientOptions) {
    this.#options = options;
    const { path = "/", closes = false } = options;
    this.#request = `GET ${path} HTTP/1.1\r\nHost: x\r\n${closes ? "Connection: close\r\n" : ""}\r\n`;
    onEnd(scope, () => this.#socket?.destroy());
    this.#ended = this.#run();
  }

  /** Lets the request under way end, asks no more and hangs up. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#talk();
      } catch (error) {
        this.failures.push(String(error));
        // A server that is gone must not be dialled in a busy loop.
        await delay(10);
      }
    }
  }

  async #talk(): Promise<void> {
    const socket = connect(this.#options.target);
    this.#socket = socket;
    socket.on("error", () => {}).setEncoding("latin1");
    await once(socket, "connect");
    let isLast = false;
    // A connection that was made is counted by the server: it asks once, also when stop() came meanwhile.
    do {
      const sentMs = performance.now();
      socket.write(this.#request);
      const head = await readResponse(socket);
      this.lastHead = head;
      this.answered += 1;
      this.#options.onAnswer?.(head, performance.now() - sentMs);
      isLast = /^connection: close\r?$/im.test(head);
      if (isLast) this.sentAway += 1;
      const pauseMs = this.#options.pauseMs?.() ?? 0;
      if (pauseMs > 0 && !isLast) await delay(pauseMs);
    } while (!isLast && !this.#isStopped);
    socket.destroy();
  }
}

/** Reads a response with a content length, and returns its head. */
async function readResponse(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let received = "";
  const read = (text: string): void => {
    received += text;
    const end = received.indexOf("\r\n\r\n");
    if (end === -1) return;
    const head = received.slice(0, end);
    const [, length] = /^content-length: (\d+)/im.exec(head) ?? [];
    if (!/^HTTP\/1\.1 200 /.test(head) || length === undefined) reject(new Error(head));
    else if (received.length >= end + 4 + Number(length)) resolve(head);
  };
  const giveUp = (): void => reject(new Error(`Closed after "${received}"`));
  socket.on("data", read).once("close", giveUp);
  // It may have closed before anybody waited for a response.
  if (socket.destroyed) giveUp();
  try {
    return await promise;
  } finally {
    socket.off("data", read).off("close", giveUp);
  }
}

/** What many clients have come to. */
export function sumUp(clients: readonly SteadyClient[]): {
  readonly answered: number;
  readonly sentAway: number;
  readonly failures: readonly string[];
} {
  return {
    answered: clients.reduce((sum, { answered }) => sum + answered, 0),
    sentAway: clients.reduce((sum, { sentAway }) => sum + sentAway, 0),
    failures: clients.flatMap(({ failures }) => failures),
  };
}

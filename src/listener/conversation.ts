import { createConnection, type Socket } from "node:net";

/** No line of ours is longer; whoever says more is not one of us. */
const LONGEST_LINE = 256;
const MOST_UNREAD = 16;

/**
 * Lines over one connection to an abstract name, which anybody in the network namespace may hold
 * or reach. So it is over at an instant that its other end cannot move, and a line has a length.
 */
export class Conversation {
  readonly #socket: Socket;
  readonly #closed = Promise.withResolvers<void>();
  readonly #lines: string[] = [];
  #rest = "";
  #isOver = false;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param limitMs Time until it is cut. */
  constructor(socket: Socket, limitMs: number) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text) => this.#hear(String(text)));
    socket.once("end", () => this.#end());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      clearTimeout(this.#timer);
      this.#end();
      this.#closed.resolve();
    });
    this.limit(limitMs);
  }

  /** Begins one; nobody there is the same as somebody who hangs up at once. */
  static open(abstractName: string, limitMs: number): Conversation {
    return new Conversation(createConnection({ path: abstractName }), limitMs);
  }

  /** Resolves when the connection is closed, by whomever. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  say(line: string): void {
    if (this.#socket.writable) this.#socket.write(`${line}\n`);
  }

  /** The next line; undefined when there will be none. */
  async next(): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.#isOver) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    return this.#lines.shift();
  }

  /** Cuts it so long from now, and not before. */
  limit(limitMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), limitMs).unref();
  }

  /** Hangs up once what was said is sent. */
  close(): void {
    this.#socket.destroySoon();
  }

  cut(): void {
    this.#socket.destroy();
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    this.#lines.push(...lines);
    const isTooLong = [...lines, this.#rest].some((line) => line.length > LONGEST_LINE);
    if (isTooLong || this.#lines.length > MOST_UNREAD) this.#socket.destroy();
    this.#wake?.();
  }

  #end(): void {
    this.#isOver = true;
    this.#wake?.();
  }
}

import { spawn } from "node:child_process";
import { errnoOf } from "../errors.ts";
import { settledWithin } from "../lifecycle/deadline.ts";
import type { Logger } from "../log/logger.ts";

/** Variables of one message to the service manager (sd_notify(3)). */
export type Message = Readonly<Record<string, string | number | bigint>>;

/** Runs a command; resolves to its exit code, null when it was killed, and rejects when there is no such program. */
export type RunCommand = (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
) => Promise<number | null>;

export interface NotifyQueueOptions {
  /** `NOTIFY_SOCKET`: a path, or an abstract name with a leading @. */
  readonly socket: string;
  /** Where programs are looked for: `PATH` and the like. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly run?: RunCommand;
}

const PROGRAM = "systemd-notify";
/** What it takes when the manager does not read, and more. */
const RUN_WITHIN_MS = 10_000;
const LONGEST_VALUE = 500;
const ADVICE = "install systemd-notify, which comes with systemd, and set NotifyAccess=all";

/**
 * Sends messages to the service manager, one after another. Node has no datagram sockets of the Unix
 * kind, so `systemd-notify` does it, which is there wherever systemd is. It waits until its message
 * was read: only a process that still lives can be told to be one of the service.
 */
export class NotifyQueue {
  readonly #options: NotifyQueueOptions;
  readonly #run: RunCommand;
  #waiting: Message[] = [];
  #sending: Promise<void> | undefined;
  #hasFailed = false;

  constructor(options: NotifyQueueOptions) {
    this.#options = options;
    this.#run = options.run ?? runProgram;
  }

  /** Sends a message after those before it; of several that wait and only have the same variables the last counts. */
  send(message: Message): void {
    const names = Object.keys(message).join();
    this.#waiting = this.#waiting.filter((other) => Object.keys(other).join() !== names);
    this.#waiting.push(message);
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when all is sent, or after `withinMs`. */
  async flush(withinMs: number): Promise<void> {
    if (this.#sending !== undefined) await settledWithin(this.#sending, withinMs);
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      await this.#sendOne(message);
    }
    this.#sending = undefined;
  }

  async #sendOne(message: Message): Promise<void> {
    const { socket, env } = this.#options;
    const args = Object.entries(message).map(([name, value]) => `${name}=${toLine(value)}`);
    try {
      const code = await this.#run(args, { ...env, NOTIFY_SOCKET: socket });
      if (code !== 0)
        this.#fail(`${PROGRAM} ${code === null ? "was killed" : `exited with ${code}`}`);
    } catch (error) {
      this.#fail(`${PROGRAM} cannot be run (${errnoOf(error) ?? String(error)})`);
    }
  }

  /** Said once, not for every message. */
  #fail(problem: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.log.error({ problem, advice: ADVICE }, "service manager cannot be told");
  }
}

/** A line break would begin another variable, and the words of an app may hold one. */
function toLine(value: string | number | bigint): string {
  return String(value)
    .replaceAll(/\p{Cc}+/gu, " ")
    .slice(0, LONGEST_VALUE);
}

const runProgram: RunCommand = (args, env) => {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  const child = spawn(PROGRAM, args, {
    env,
    stdio: "ignore",
    timeout: RUN_WITHIN_MS,
    killSignal: "SIGKILL",
  });
  child.once("error", reject);
  child.once("exit", resolve);
  return promise;
};

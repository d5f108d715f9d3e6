import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** One line of JSON the program logged. */
export interface LogLine {
  readonly msg?: string;
  readonly level?: number;
  readonly [field: string]: unknown;
}

export type LinePredicate = (line: LogLine) => boolean;

interface Waiter {
  readonly matches: LinePredicate;
  readonly resolve: (line: LogLine) => void;
  readonly reject: (error: Error) => void;
}

/** Everything a program wrote, as text and as log lines, with waiting by event. */
export class LogLines {
  readonly lines: LogLine[] = [];
  readonly #waiters = new Set<Waiter>();
  #text = "";
  #problem: Error | undefined;

  /** Reads a stream from now on; several may be read. */
  read(stream: Readable): void {
    createInterface({ input: stream }).on("line", (text) => this.#accept(text));
  }

  /** All that was written. */
  get text(): string {
    return this.#text;
  }

  /** Resolves with the first line that matches, also when it was logged before. */
  find(matches: LinePredicate): Promise<LogLine> {
    const known = this.lines.find(matches);
    if (known !== undefined) return Promise.resolve(known);
    if (this.#problem !== undefined) return Promise.reject(this.#problem);
    return new Promise((resolve, reject) => this.#waiters.add({ matches, resolve, reject }));
  }

  /** No line will follow: whoever waits is told why. */
  end(problem: Error): void {
    this.#problem = problem;
    for (const waiter of this.#waiters) waiter.reject(problem);
    this.#waiters.clear();
  }

  #accept(text: string): void {
    this.#text += `${text}\n`;
    const line = parseLine(text);
    if (line === undefined) return;
    this.lines.push(line);
    for (const waiter of this.#waiters) {
      if (!waiter.matches(line)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(line);
    }
  }
}

function parseLine(text: string): LogLine | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
}

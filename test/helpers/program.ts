import { fileURLToPath } from "node:url";
import { within } from "./deadline.ts";
import { LogLines, type LinePredicate, type LogLine } from "./log-lines.ts";
import { startGroup, type ExitResult, type ProcessGroup } from "./process-group.ts";
import type { Scope } from "./scope.ts";

/** The program users run. */
export const PROGRAM: string = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

const DEADLINE_MS = 15_000;

export interface ProgramOptions {
  readonly args: readonly string[];
  /** Added to our environment, from which `OUTRIGGER_*` was removed. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Path of the Node to run on (the one that runs the test). */
  readonly node?: string;
  /** Flags for Node itself. */
  readonly nodeArgs?: readonly string[];
  /** A command that starts the one that follows it. */
  readonly wrapper?: readonly string[];
  /** Descriptors of ours that it has from 3 on. */
  readonly descriptors?: readonly number[];
}

/** The line that says every endpoint is published. */
export interface ReadyLine extends LogLine {
  readonly endpoints: readonly {
    readonly name: string;
    readonly address: string;
    readonly handed?: string;
  }[];
  /** `HOST:PORT`; absent when the ops endpoint is off. */
  readonly ops?: string;
  readonly workers: number;
}

/** Starts the built program; it is killed with all its workers when the scope ends. */
export function startProgram(scope: Scope, options: ProgramOptions): Program {
  const node = [options.node ?? process.execPath, ...(options.nodeArgs ?? [])];
  const [command = "", ...args] = [...(options.wrapper ?? []), ...node, PROGRAM, ...options.args];
  const group = startGroup(scope, command, {
    args,
    env: { ...cleanEnvironment(), ...options.env },
    ...(options.descriptors === undefined ? {} : { descriptors: options.descriptors }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  return new Program(group);
}

/** A running `outrigger`. */
export class Program {
  readonly #group: ProcessGroup;
  readonly #out = new LogLines();
  readonly #closed: Promise<ExitResult>;
  #stdout = "";
  #stderr = "";

  constructor(group: ProcessGroup) {
    this.#group = group;
    group.stdout.setEncoding("utf8").on("data", (text: string) => (this.#stdout += text));
    group.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    this.#out.read(group.stdout);
    this.#out.read(group.stderr);
    this.#closed = group.closed.then((exit) => {
      this.#out.end(
        new Error(`The program ended (${describeExit(exit)}) after writing:\n${this.#out.text}`),
      );
      return exit;
    });
    this.#closed.catch(() => {});
  }

  get pid(): number {
    return this.#group.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Log lines of both streams so far. */
  get lines(): readonly LogLine[] {
    return this.#out.lines;
  }

  /**
   * Resolves with the first log line that has this `msg` or satisfies the predicate, logged before or from
   * now on; rejects when the program ends without it.
   */
  async line(wanted: string | LinePredicate, deadlineMs: number = DEADLINE_MS): Promise<LogLine> {
    const matches = typeof wanted === "string" ? (line: LogLine) => line.msg === wanted : wanted;
    const what = typeof wanted === "string" ? `"${wanted}"` : String(wanted);
    try {
      return await within(deadlineMs, this.#out.find(matches), `log line ${what}`);
    } catch (error) {
      throw new Error(`No log line ${what}; the program wrote:\n${this.#out.text}`, {
        cause: error,
      });
    }
  }

  /** Resolves when the program says it is ready. */
  async ready(deadlineMs: number = DEADLINE_MS): Promise<ReadyLine> {
    return (await this.line("ready", deadlineMs)) as ReadyLine;
  }

  /** Port of the ops endpoint, once ready. */
  async opsPort(): Promise<number> {
    const { ops } = await this.ready();
    if (ops === undefined) throw new Error("The ready line names no ops endpoint");
    return portOf(ops);
  }

  /** Address of an endpoint (the first), once ready. */
  async address(endpoint?: string): Promise<string> {
    const { endpoints } = await this.ready();
    const found = endpoints.find(({ name }) => endpoint === undefined || name === endpoint);
    if (found === undefined) throw new Error(`The ready line names no endpoint ${endpoint ?? ""}`);
    return found.address;
  }

  /** Signals the supervisor. */
  signal(signal: NodeJS.Signals): void {
    this.#group.signal(signal);
  }

  /** Resolves when the program has ended and all it wrote was read. */
  exit(deadlineMs: number = DEADLINE_MS): Promise<ExitResult> {
    return within(deadlineMs, this.#closed, "the program to exit");
  }

  /** Workers that logged that they are ready and not yet that they exited. */
  workerPids(): number[] {
    const pids = new Set<number>();
    for (const { msg, pid } of this.lines) {
      if (typeof pid !== "number") continue;
      if (msg === "worker ready") pids.add(pid);
      if (msg === "worker exited") pids.delete(pid);
    }
    return [...pids];
  }
}

/** The port of `HOST:PORT`. */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = ([name]: [string, unknown]): boolean =>
    name.startsWith("OUTRIGGER_") || name === "NODE_TEST_CONTEXT";
  return Object.fromEntries(Object.entries(process.env).filter((variable) => !ours(variable)));
}

function describeExit({ code, signal }: ExitResult): string {
  return signal === null ? `code ${code}` : signal;
}

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { countCpus } from "./cpu-count.ts";

/** A stream we write text to. */
export interface Output {
  readonly isTerminal: boolean;
  /** Width of the terminal; undefined when there is none. */
  readonly columns: number | undefined;
  /** Height of the terminal; undefined when there is none. */
  readonly rows: number | undefined;
  write(text: string): void;
  /** Calls back when nobody reads any more, which otherwise ends us; the returned function takes that back. */
  onUnread(callback: () => void): () => void;
}

/** The world around the program, as an argument. */
export interface Host {
  /** What stands after the name of the program. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** CPUs we may use. */
  readonly cpuCount: number;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Reads a variable and removes it, so that no process we start has it. */
  takeVariable(name: string): string | undefined;
  readFile(path: string): string;
  /** Calls back for every arrival of a signal; the returned function takes that back. */
  onSignal(signal: NodeJS.Signals, callback: (signal: NodeJS.Signals) => void): () => void;
}

/** The process we are. */
export const systemHost: Host = {
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  cpuCount: countCpus((path) => readFileSync(path, "utf8"), availableParallelism()),
  stdout: outputOf(process.stdout),
  stderr: outputOf(process.stderr),
  takeVariable(name) {
    const value = process.env[name];
    delete process.env[name];
    return value;
  },
  readFile: (path) => readFileSync(path, "utf8"),
  onSignal(signal, callback) {
    process.on(signal, callback);
    return () => process.off(signal, callback);
  },
};

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    isTerminal: stream.isTTY,
    // Asked each time: a window may be resized.
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
    get rows() {
      return stream.isTTY ? stream.rows : undefined;
    },
    write: (text) => void stream.write(text),
    onUnread(callback) {
      stream.on("error", callback);
      return () => stream.off("error", callback);
    },
  };
}

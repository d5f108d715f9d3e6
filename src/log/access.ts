import type { AccessLogFormat } from "../config/config.ts";
import { backgroundClock, type Clock } from "../lifecycle/deadline.ts";
import type { AccessEntry, AccessFormat } from "./access-entry.ts";
import { createCombinedFormat } from "./combined-format.ts";
import { createJsonFormat } from "./json-format.ts";
import { LineWriter } from "./line-writer.ts";
import { createPrettyFormat } from "./pretty-format.ts";
import { openSink, type Sink } from "./sink.ts";

/** Where ended requests are recorded. */
export interface AccessLog {
  /** Never throws and never waits; beyond a megabyte of unwritten lines it drops and counts. */
  record(entry: AccessEntry): void;
  /** Resolves when all that was recorded is written or given up. */
  flush(): Promise<void>;
  /** Writes at once what it can: for a process that is about to crash. */
  flushSync(): void;
  /** Writes all out; what is recorded later is lost. */
  close(): Promise<void>;
}

export interface AccessLogOptions {
  readonly format: AccessLogFormat;
  /** What `json` looks like: JSON for machines, or lines for people at a terminal (json). */
  readonly style?: "json" | "pretty";
  /** Where lines go (standard output). */
  readonly sink?: Sink;
  /** The time (the real one, with timers that do not keep the process alive). */
  readonly clock?: Clock;
}

/** Creates the access log of a worker. */
export function createAccessLog(options: AccessLogOptions): AccessLog {
  const { format, style = "json", sink = openSink(), clock = backgroundClock } = options;
  if (format === "off") return NO_ACCESS_LOG;
  const lines = chooseFormat(format, style);
  const writer = new LineWriter({
    sink,
    clock,
    describeDropped: (count) => lines.dropped(count, clock.now()),
  });
  return {
    record: (entry) => writer.append(lines.line(entry)),
    flush: () => writer.flush(),
    flushSync: () => writer.flushSync(),
    close: () => writer.close(),
  };
}

const NO_ACCESS_LOG: AccessLog = {
  record() {},
  async flush() {},
  flushSync() {},
  async close() {},
};

function chooseFormat(format: "json" | "combined", style: "json" | "pretty"): AccessFormat {
  if (format === "combined") return createCombinedFormat();
  return style === "pretty" ? createPrettyFormat() : createJsonFormat();
}

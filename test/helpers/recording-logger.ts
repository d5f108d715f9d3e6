import type { Logger } from "../../src/log/logger.ts";

/** A line that was logged. */
export interface RecordedLine {
  readonly level: string;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that keeps what it is told. */
export function recordingLogger(): { readonly log: Logger; readonly lines: RecordedLine[] } {
  const lines: RecordedLine[] = [];
  const at =
    (level: string) =>
    (fields: object, msg: string): void =>
      void lines.push({ level, msg, fields: { ...fields } });
  const log: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("fatal"),
    child: () => log,
  };
  return { log, lines };
}

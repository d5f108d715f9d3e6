import { destination, pino, type DestinationStream } from "pino";

/** What the rest of the program needs of a logger: constant lower-case messages plus fields. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  fatal(fields: object, message: string): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: Record<string, unknown>): Logger;
}

export interface LoggerOptions {
  readonly level: string;
  /** Coloured lines for people instead of JSON (false). */
  readonly pretty?: boolean;
  /** Where lines go (standard output, synchronously, so that a crash loses none). */
  readonly stream?: DestinationStream;
}

/** Creates a logger that writes one pino line an event. */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const logger: Logger = pino({ level: options.level, base: null }, await openStream(options));
  return logger;
}

/** A logger that says nothing, for embedding and tests. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  child: () => silentLogger,
};

async function openStream(options: LoggerOptions): Promise<DestinationStream> {
  const stream = options.stream ?? destination({ dest: 1, sync: true });
  if (!options.pretty) return stream;
  const { prettyFactory } = await import("pino-pretty");
  const format = prettyFactory({ colorize: true, ignore: "pid", translateTime: "HH:MM:ss.l" });
  return { write: (line) => stream.write(format(line) ?? line) };
}

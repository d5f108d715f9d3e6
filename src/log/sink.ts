import { fstatSync, write, writeSync } from "node:fs";

/** Where bytes go; both ways of writing may take a part of them only. */
export interface Sink {
  /** Several processes may write to the same pipe: only writes of up to PIPE_BUF bytes stay whole. */
  readonly isPipe: boolean;
  write(bytes: Buffer, done: (error: Error | undefined, written: number) => void): void;
  /** Throws where `write` reports an error. */
  writeSync(bytes: Buffer): number;
}

/** Opens a sink on a file descriptor (standard output). */
export function openSink(fd = 1): Sink {
  return {
    isPipe: isPipe(fd),
    write: (bytes, done) =>
      write(fd, bytes, 0, bytes.length, null, (error, written) =>
        done(error ?? undefined, written),
      ),
    writeSync: (bytes) => writeSync(fd, bytes),
  };
}

/** A descriptor that is closed takes nothing; the writer finds out and drops. */
function isPipe(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}

import { writeSync } from "node:fs";
import type { Socket } from "node:net";

const NOTHING = Buffer.alloc(0);

/**
 * Asks the kernel whether anything can still be sent on a connection, without sending; the error with which
 * it says no, or undefined. A client that has only ended its side still takes what is sent.
 */
export function findBreak(socket: Socket): Error | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null || !("fd" in handle)) return undefined;
  const { fd } = handle;
  if (typeof fd !== "number" || fd < 0) return undefined;
  try {
    writeSync(fd, NOTHING);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

import { writeSync } from "node:fs";
import type { Socket } from "node:net";

/**
 * Writes to a socket in plain text past whoever else writes to it: at once, behind all that was written
 * before. Returns false, with nothing written, where that is not possible: something still waits to be
 * sent, or the socket is not one of the kernel's.
 */
export function writeNow(socket: Socket, bytes: Uint8Array): boolean {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null || socket.writableLength > 0) return false;
  if (!("fd" in handle && "writeQueueSize" in handle)) return false;
  const { fd, writeQueueSize } = handle;
  if (typeof fd !== "number" || fd < 0 || writeQueueSize !== 0) return false;
  try {
    // What was begun and cannot be ended would make nonsense of all that follows.
    if (writeSync(fd, bytes) < bytes.length) socket.destroy();
    return true;
  } catch {
    return false;
  }
}

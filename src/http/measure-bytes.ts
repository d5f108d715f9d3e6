import type { Socket } from "node:net";

/** Bytes that had been sent on a connection when a response ended last; one may end after its connection. */
const SENT_BEFORE: unique symbol = Symbol("sent before");

/** Kept on the socket itself: a map of sockets costs more than all the rest of the measurement. */
interface MeasuredSocket extends Socket {
  [SENT_BEFORE]?: number;
}

/** Bytes sent since the last response on this connection ended. */
export function measureBytes(socket: MeasuredSocket): number {
  const { bytesWritten } = socket;
  const before = socket[SENT_BEFORE] ?? 0;
  socket[SENT_BEFORE] = bytesWritten;
  return bytesWritten - before;
}

import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { errnoOf } from "../errors.ts";
import { responseOn } from "./response-on.ts";

/** What a connection begins with that speaks HTTP/2 (RFC 9113, section 3.4). */
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/**
 * All that a connection has said so far, if the parser of HTTP/1.1 stopped at the end of the preface
 * and nothing was asked on it before; undefined for every other error.
 */
export function readPreface(error: Error, socket: Duplex): Buffer | undefined {
  if (errnoOf(error) !== "HPE_PAUSED_H2_UPGRADE") return undefined;
  // Through TLS it is ALPN that chooses.
  if (!(socket instanceof Socket) || socket instanceof TLSSocket || socket.destroyed)
    return undefined;
  if (socket.bytesWritten > 0 || responseOn(socket) !== undefined) return undefined;
  const packet: unknown = "rawPacket" in error ? error.rawPacket : undefined;
  const parsed: unknown = "bytesParsed" in error ? error.bytesParsed : undefined;
  if (!(packet instanceof Buffer) || typeof parsed !== "number") return undefined;
  return Buffer.concat([Buffer.from(PREFACE), packet.subarray(parsed)]);
}

/**
 * Makes a new socket of a connection that node:http has, which cannot let go of one: the old socket
 * stays without a connection, for the caller to destroy, and what node:http holds for it goes with it.
 */
export function moveConnection(socket: Socket): Socket {
  // Node's word for "give me what is read": the parser lets go of the handle.
  socket.on("data", () => {});
  const handle: unknown = Reflect.get(socket, "_handle");
  const { allowHalfOpen } = socket;
  // The types know only sockets that are bound and not connected.
  const successor: Socket = Reflect.construct(Socket, [{ handle, allowHalfOpen }]);
  Reflect.set(socket, "_handle", null);
  return successor;
}

/** Whether a connection that begins so speaks HTTP/2; undefined while it may. */
export function isPreface(bytes: Buffer): boolean | undefined {
  // Of all methods only ours of HTTP/2, PUT, POST, PATCH and PROPFIND begin so.
  if (bytes[0] !== PREFACE.charCodeAt(0)) return false;
  const begin = bytes.toString("latin1", 0, PREFACE.length);
  if (begin === PREFACE) return true;
  return PREFACE.startsWith(begin) ? undefined : false;
}

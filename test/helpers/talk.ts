import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import tls, { type ConnectionOptions } from "node:tls";
import { errnoOf } from "../../src/errors.ts";
import { eventually, within } from "./deadline.ts";

const DEADLINE_MS = 15_000;

/** A way to reach an endpoint. */
export interface Way {
  readonly name: string;
  readonly target: NetConnectOpts;
  /** Sent ahead of everything. */
  readonly greeting?: Buffer;
  /** Through TLS, with this protocol chosen by ALPN. */
  readonly alpn?: string;
}

export interface Talk {
  /** Sent one after the other, each as a packet of its own. */
  readonly pieces: readonly Buffer[];
  /** How the client goes on when all is sent (it waits). */
  readonly then?: "wait" | "end" | "reset";
  /** Looks at all that has come; once it is true the client ends its side. */
  readonly isEnough?: (received: Buffer) => boolean;
  /** Ends its side after so long, if the server has not by then (never). */
  readonly patienceMs?: number;
  readonly deadlineMs?: number;
}

/** What came of it. */
export interface Outcome {
  /** Until the server ended its side or reset. */
  readonly received: Buffer;
  readonly tookMs: number;
}

/** Says something on a connection of its own and resolves when the server has closed that; rejects when it does not in time. */
export async function talk(way: Way, options: Talk): Promise<Outcome> {
  const { pieces, then = "wait", isEnough, patienceMs, deadlineMs = DEADLINE_MS } = options;
  const beganAt = performance.now();
  const socket = await open(way);
  let received: Buffer = Buffer.alloc(0);
  const ended = new Promise((resolve) => socket.once("end", resolve).once("close", resolve));
  socket.on("data", (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    if (isEnough?.(received) === true) socket.end();
  });
  const impatience =
    patienceMs === undefined ? undefined : setTimeout(() => socket.end(), patienceMs);
  try {
    for (const piece of pieces) await send(socket, piece);
    if (then === "end") socket.end();
    if (then === "reset") socket.destroy();
    await within(deadlineMs, ended, `${way.name} to close after ${JSON.stringify(received.toString("latin1", 0, 200))}`);
    return { received, tookMs: performance.now() - beganAt };
  } finally {
    clearTimeout(impatience);
    socket.destroy();
  }
} // prettier-ignore

async function open({ target, greeting, alpn }: Way): Promise<Socket> {
  const socket = await eventually(DEADLINE_MS, () => reach(target), "a connection");
  socket.on("error", () => {});
  if (greeting !== undefined) socket.write(greeting);
  if (alpn === undefined) return socket;
  const options: ConnectionOptions = { socket, ALPNProtocols: [alpn], rejectUnauthorized: false };
  const secure = tls.connect(options);
  secure.allowHalfOpen = true;
  secure.on("error", () => {}).once("close", () => socket.destroy());
  await within(DEADLINE_MS, once(secure, "secureConnect"), "a handshake");
  return secure;
}

/** Undefined when the accept queue is full. */
async function reach(target: NetConnectOpts): Promise<Socket | undefined> {
  const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
  try {
    await within(DEADLINE_MS, once(socket, "connect"), "a connection");
    return socket;
  } catch (error) {
    if (errnoOf(error) === "EAGAIN") return undefined;
    throw error;
  }
}

/** Resolves when it is with the kernel, or nobody takes it any more. */
async function send(socket: Socket, piece: Buffer): Promise<void> {
  if (socket.destroyed || piece.length === 0) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off("close", done);
      resolve();
    };
    socket.once("close", done);
    socket.write(piece, done);
  });
}

export interface Flooding {
  readonly begin: Buffer;
  /** What is sent next. */
  readonly next: () => Buffer;
  /** Gives up when so much was sent. */
  readonly mostBytes: number;
  readonly deadlineMs?: number;
}

/** Sends without an end, and reads what comes, until the connection is closed; resolves with the bytes sent, or rejects. */
export async function flood(way: Way, options: Flooding): Promise<number> {
  const { begin, next, mostBytes, deadlineMs = DEADLINE_MS } = options;
  const socket = await open(way);
  socket.resume();
  const isOver = (): boolean => socket.destroyed || socket.readableEnded;
  let sent = 0;
  const pour = async (): Promise<void> => {
    for (let bytes = begin; !isOver() && sent < mostBytes; bytes = next()) {
      sent += bytes.length;
      await send(socket, bytes);
      // A write may end at once, and nobody would be heard.
      await nextTurn();
    }
  };
  try {
    await within(deadlineMs, pour(), `${way.name} to cut a flood of ${sent} bytes`);
    return sent;
  } finally {
    socket.destroy();
  }
}

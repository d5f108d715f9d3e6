import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import net from "node:net";
import { basename, dirname } from "node:path";
import { errnoOf } from "../errors.ts";

const ANSWER_TIMEOUT_MS = 500;
const CONNECTION_LIMIT_MS = 1_000;
const MOST_CONNECTIONS = 16;
/** No pid is longer; whoever says more is not one of us. */
const LONGEST_ANSWER = 10;
const PID = /^\d{1,7}$/;

/** Keeps every other Outrigger away from a path for as long as this process lives. */
export interface Lock {
  release(): Promise<void>;
}

/** Somebody else holds the lock. */
export interface LockHolder {
  /** As its holder says, who may be anybody; undefined when it did not answer with one. */
  readonly pid: number | undefined;
}

/**
 * Takes the lock of a socket path: a Linux abstract socket, which the kernel frees when its owner
 * dies, however it dies. It is named after the directory itself (device and inode) rather than its
 * path, because containers of one pod share abstract names but mount different directories at the
 * same path, and one directory at different paths.
 */
export async function acquireLock(publicPath: string): Promise<Lock | LockHolder> {
  const name = await lockName(publicPath);
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => sayPid(socket, open));
  server.maxConnections = MOST_CONNECTIONS;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // It stays for life: an error after the bind changes nothing, and must not be an uncaught one.
  server.on("error", reject).listen({ path: name }, resolve);
  try {
    await promise;
  } catch (error) {
    if (errnoOf(error) === "EADDRINUSE") return { pid: await askHolder(name) };
    throw error;
  }
  server.unref();
  return {
    release() {
      for (const socket of open) socket.destroy();
      return new Promise((released) => server.close(() => released()));
    },
  };
}

/**
 * Answers one connection, which is over within a second whatever its other end does: an abstract
 * name has no permissions, so anybody in the network namespace may be there.
 */
function sayPid(socket: net.Socket, open: Set<net.Socket>): void {
  const limit = setTimeout(() => socket.destroy(), CONNECTION_LIMIT_MS).unref();
  open.add(socket);
  socket.once("close", () => {
    clearTimeout(limit);
    open.delete(socket);
  });
  socket.on("error", () => socket.destroy());
  socket.resume().end(String(process.pid));
}

async function lockName(publicPath: string): Promise<string> {
  const directory = await stat(dirname(publicPath), { bigint: true });
  const identity = `${directory.dev}:${directory.ino}/${basename(publicPath)}`;
  return `\0outrigger:${createHash("sha256").update(identity).digest("hex").slice(0, 32)}`;
}

/** The limit is absolute: a stranger that has the name could send for ever. */
function askHolder(name: string): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const socket = net.connect({ path: name });
  const limit = setTimeout(() => socket.destroy(), ANSWER_TIMEOUT_MS);
  let answer = "";
  socket.setEncoding("latin1");
  socket.on("data", (text) => {
    answer += String(text);
    if (answer.length > LONGEST_ANSWER) socket.destroy();
  });
  socket.once("end", () => resolve(PID.test(answer) ? Number(answer) : undefined));
  socket.on("error", () => socket.destroy());
  socket.once("close", () => {
    clearTimeout(limit);
    resolve(undefined);
  });
  return promise;
}

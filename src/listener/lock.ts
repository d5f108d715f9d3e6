import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import net from "node:net";
import { basename, dirname } from "node:path";
import { errnoOf } from "../errors.ts";

const ANSWER_TIMEOUT_MS = 500;

/** Keeps every other Outrigger away from a path for as long as this process lives. */
export interface Lock {
  release(): Promise<void>;
}

/** Somebody else holds the lock. */
export interface LockHolder {
  /** As its holder says; undefined when it did not answer. */
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
  const server = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(String(process.pid));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen({ path: name }, resolve);
  try {
    await promise;
  } catch (error) {
    if (errnoOf(error) === "EADDRINUSE") return { pid: await askHolder(name) };
    throw error;
  }
  server.unref();
  return { release: () => new Promise((released) => server.close(() => released())) };
}

async function lockName(publicPath: string): Promise<string> {
  const directory = await stat(dirname(publicPath), { bigint: true });
  const identity = `${directory.dev}:${directory.ino}/${basename(publicPath)}`;
  return `\0outrigger:${createHash("sha256").update(identity).digest("hex").slice(0, 32)}`;
}

function askHolder(name: string): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const socket = net.connect({ path: name });
  let answer = "";
  socket.setEncoding("utf8");
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  socket.on("data", (text) => (answer += String(text)));
  socket.on("error", () => socket.destroy());
  socket.on("close", () => resolve(/^\d+$/.test(answer) ? Number(answer) : undefined));
  return promise;
}

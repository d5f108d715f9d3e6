import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { errnoOf } from "../../src/errors.ts";
import { within } from "./deadline.ts";
import { startGroup, type ProcessGroup } from "./process-group.ts";
import { onEnd, type Scope } from "./scope.ts";

const DEADLINE_MS = 10_000;
/** The least the kernel grants; it lets one connection more than this wait. */
const SHORTEST_BACKLOG = 1;
const MOST_CONNECTIONS = 50;

const LISTEN_AND_BLOCK = `
  require("node:net").createServer().listen({ path: process.argv[1], backlog: ${SHORTEST_BACKLOG} }, () => {
    require("node:fs").writeSync(1, "listening");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;
const LISTEN_FOR_EVER = `
  require("node:net").createServer((socket) => socket.end("foreign"))
    .listen(process.argv[1], () => require("node:fs").writeSync(1, "listening"));`;
const BIND_DATAGRAM = `
  use Socket; $| = 1;
  socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!;
  print "bound"; sleep;`;

/** Listens on a path in this process and answers `foreign` to whoever connects. */
export async function listenForeign(scope: Scope, path: string): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => {}).end("foreign"));
  server.listen(path);
  await within(DEADLINE_MS, once(server, "listening"), `a server on ${path}`);
  onEnd(scope, () => server.close());
  return server;
}

/** Starts another process that listens on a path and answers `foreign`. */
export function startForeignServer(scope: Scope, path: string): Promise<ProcessGroup> {
  return startAndHear(scope, process.execPath, ["-e", LISTEN_FOR_EVER, path]);
}

/** Leaves the socket of a dead process at a path. */
export async function leaveStaleSocket(scope: Scope, path: string): Promise<void> {
  const owner = await startForeignServer(scope, path);
  owner.signal("SIGKILL");
  await within(DEADLINE_MS, owner.closed, "the owner of a socket to die");
}

/** Puts a live listener with a full accept queue at a path. */
export async function startFullQueue(scope: Scope, path: string): Promise<void> {
  await startAndHear(scope, process.execPath, ["-e", LISTEN_AND_BLOCK, path]);
  const waiting: Socket[] = [];
  onEnd(scope, () => waiting.forEach((socket) => socket.destroy()));
  for (let count = 0; count < MOST_CONNECTIONS; count += 1) {
    const socket = connect(path).on("error", () => {});
    waiting.push(socket);
    const refusal = await within(DEADLINE_MS, outcomeOf(socket), "an answer to connect");
    if (refusal === "EAGAIN") return;
    if (refusal !== undefined) throw new Error(`Cannot fill the queue of ${path}: ${refusal}`);
  }
  throw new Error(`The queue of ${path} does not fill`);
}

/** Puts a live datagram socket at a path, which Node itself cannot. */
export async function startDatagramOwner(scope: Scope, path: string): Promise<void> {
  await startAndHear(scope, "perl", ["-e", BIND_DATAGRAM, path]);
}

/** Resolves with the code of a refusal, or undefined once connected. */
async function outcomeOf(socket: Socket): Promise<string | undefined> {
  try {
    await once(socket, "connect");
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? String(error);
  }
}

async function startAndHear(
  scope: Scope,
  command: string,
  args: readonly string[],
): Promise<ProcessGroup> {
  const group = startGroup(scope, command, { args });
  group.stderr.resume();
  await within(DEADLINE_MS, once(group.stdout, "data"), `${command} to be set up`);
  return group;
}

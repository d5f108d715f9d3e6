import { fork, type ChildProcess, type SendHandle } from "node:child_process";
import { url } from "node:inspector";
import { fileURLToPath } from "node:url";
import type { Listener } from "../listener/listener.ts";
import { sendableHandle } from "../listener/sendable.ts";
import { CounterPage } from "./counter-page.ts";
import { parseReport, type Command } from "../protocol.ts";
import {
  DEBUGGED_FLAGS,
  INSPECTABLE_FLAGS,
  readBlockedStack,
  type BlockedStack,
} from "./blocked-stack.ts";
import type { SpawnWorker } from "./worker-process.ts";

/** The sources run as they are in tests; `dist` mirrors `src`, so the ending is all that differs. */
const ENTRY = fileURLToPath(
  new URL(`../worker/main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);
/** Standard streams and the channel come first in a child's descriptor table. */
const FIRST_LISTENER_DESCRIPTOR = 4;

/** Runs a worker as a process of its own; its listeners travel in its `stdio`. */
export const forkWorker: SpawnWorker = (listeners, events) => {
  const page = CounterPage.open(listeners.map(({ endpoint }) => endpoint.name));
  const child = forkWith(listeners, page);
  let hasEnded = false;
  const end = (code: number | null, signal: NodeJS.Signals | null): void => {
    if (hasEnded) return;
    hasEnded = true;
    events.exited({ code, signal });
  };
  child.on("message", (message) => events.report(parseReport(message)));
  // A spawn that fails ends with this event alone; after one that worked it tells of a lost channel.
  child.on("error", () => child.pid === undefined && end(null, null));
  // Not "exit": reports may still be on their way when the process is gone.
  child.on("close", end);
  return {
    pid: child.pid,
    grants: listeners.map(({ endpoint }, index) => ({
      endpoint: endpoint.name,
      descriptor: FIRST_LISTENER_DESCRIPTOR + index,
    })),
    counters: page && { page, descriptor: FIRST_LISTENER_DESCRIPTOR + listeners.length },
    // A dead worker's exit is reported by its own event; what could not be sent is moot.
    send: (command) => void (child.connected && child.send(command, () => {})),
    reopen(endpoint, limit) {
      const listener = listeners.find((one) => one.endpoint.name === endpoint);
      if (listener === undefined || !child.connected) return;
      const handle = sendableHandle(listener.socket) as SendHandle;
      child.send({ type: "reopen", endpoint, limit } satisfies Command, handle, () => {});
    },
    kill: () => void child.kill("SIGKILL"),
    async readStack() {
      const stack = await readStackOf(child);
      // Also where it could not be read: a signal that was late opens the inspector afterwards.
      if (child.connected) child.send({ type: "close-inspector" } satisfies Command, () => {});
      return stack;
    },
  };
};

/** Most spawns that fail do so by an event; after one that throws nobody else could give the page back. */
function forkWith(listeners: readonly Listener[], page: CounterPage | undefined): ChildProcess {
  try {
    const descriptors = listeners.map(({ socket }) => socket.fd());
    if (page !== undefined) descriptors.push(page.descriptor);
    return fork(ENTRY, [], {
      stdio: ["ignore", "inherit", "inherit", "ipc", ...descriptors],
      serialization: "advanced",
      execArgv: [...process.execArgv, ...inspectorFlags()],
    });
  } catch (error) {
    page?.close();
    throw error;
  }
}

/** With an inspector of our own we are being debugged, and so are the workers: then their ports are told. */
function inspectorFlags(): readonly string[] {
  return url() === undefined ? INSPECTABLE_FLAGS : DEBUGGED_FLAGS;
}

async function readStackOf(child: ChildProcess): Promise<BlockedStack> {
  const { pid } = child;
  if (pid === undefined) return { kind: "unknown", reason: "it was not spawned" };
  return await readBlockedStack({ pid, interrupt: () => child.kill("SIGUSR1") });
}

import { EXIT_CODES } from "../errors.ts";
import { toListenTarget } from "../listener/descriptor-socket.ts";
import type { Listener } from "../listener/listener.ts";
import { systemClock } from "../lifecycle/deadline.ts";
import type { Report } from "../protocol.ts";
import type { WorkerHost } from "../worker/worker-host.ts";
import { Worker } from "../worker/worker.ts";
import type { SpawnWorker } from "./worker-process.ts";

/** Runs a worker in this very process: for `--workers 0` and for programs that embed us. */
export function inlineWorker(
  host: Pick<WorkerHost, "app" | "cwd" | "isMain" | "isPretty" | "log">,
): SpawnWorker {
  return (listeners, events) => {
    const report = (fact: Report): void => {
      // As a process does: the event comes later, never from inside the call that caused it.
      setImmediate(() => {
        events.report(fact);
        if (fact.type === "drained") events.exited({ code: EXIT_CODES.ok, signal: null });
        if (fact.type === "failed") events.exited({ code: EXIT_CODES.startup, signal: null });
      });
    };
    const worker = new Worker({
      ...host,
      clock: systemClock,
      // There is no channel that an app could use.
      readySignal: Promise.resolve(),
      report,
      openTarget: ({ endpoint }) => toListenTarget(findListener(listeners, endpoint).socket),
    });
    return {
      pid: process.pid,
      grants: listeners.map(({ endpoint }) => ({ endpoint: endpoint.name, descriptor: -1 })),
      send: (command) => worker.handle(command),
      // The only worker has no limit, and so is never shut.
      reopen() {},
      kill: () => worker.drain(0),
      snapshot: () => worker.snapshot(),
    };
  };
}

function findListener(listeners: readonly Listener[], name: string): Listener {
  const found = listeners.find(({ endpoint }) => endpoint.name === name);
  if (found === undefined) throw new TypeError(`No listener for endpoint "${name}"`);
  return found;
}

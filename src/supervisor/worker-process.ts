import type { Command, ListenerGrant, Report, WorkerSnapshot } from "../protocol.ts";
import type { CounterPage } from "./counter-page.ts";
import type { BlockedStack } from "./blocked-stack.ts";
import type { Listener } from "../listener/listener.ts";

/** How a worker ended. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a worker process tells its supervisor. */
export interface WorkerEvents {
  report(report: Report): void;
  /** Called exactly once, after the last report. */
  exited(exit: WorkerExit): void;
}

/** A running worker, wherever it runs. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Listeners in the form its `start` command wants. */
  readonly grants: readonly ListenerGrant[];
  /** Memory it keeps its counts in, with the descriptor that this has in its own table. */
  readonly counters?:
    | { readonly page: Pick<CounterPage, "read" | "close">; readonly descriptor: number }
    | undefined;
  send(command: Command): void;
  /** Sends `reopen` with a handle of the endpoint's listener. */
  reopen(endpoint: string, limit: number): void;
  kill(): void;
  /** Reads where its loop is held up, where it has a loop of its own. */
  readStack?(): Promise<BlockedStack>;
  /** Its numbers at this instant, where they need not be asked for. */
  snapshot?(): WorkerSnapshot;
}

/** Creates a worker that will listen on these sockets; it waits for its `start` command. */
export type SpawnWorker = (listeners: readonly Listener[], events: WorkerEvents) => WorkerProcess;

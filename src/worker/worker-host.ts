import type { AppModule } from "../app/load.ts";
import type { Clock } from "../lifecycle/deadline.ts";
import type { Logger } from "../log/logger.ts";
import type { ListenerGrant, Report } from "../protocol.ts";
import type { ListenTarget } from "./endpoint-server.ts";
import type { Idleness } from "./idleness.ts";

/** What surrounds a worker: a process of its own, or the program that embeds us. */
export interface WorkerHost {
  readonly log: Logger;
  readonly cwd: string;
  /** Access lines for people instead of JSON. */
  readonly isPretty: boolean;
  report(report: Report): void;
  /** What to listen on for a grant. */
  openTarget(grant: ListenerGrant): ListenTarget;
  /** Where the app comes from when it is not to be imported by name. */
  readonly app?: AppModule;
  /** Whether the app is what the process runs, and not a part of another program. */
  readonly isMain: boolean;
  readonly clock: Clock;
  /** Resolves when the app has said that it is ready, where it is asked for that. */
  readonly readySignal: Promise<void>;
  /** The process, where it is the worker's own. */
  readonly process?: {
    readonly idleness: Idleness;
    /** Calls the listeners that the app has for stop signals; returns whether there are any. */
    readonly tellApp: () => boolean;
  };
}

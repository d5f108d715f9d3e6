import { describeError } from "../errors.ts";
import { drain, type DrainOptions } from "./drain.ts";

/** How a process ended its service. */
export interface Stopped {
  /** Connections that were cut because the grace period was over. */
  readonly forced: number;
  /** Something could not be drained, closed or removed; the log says what. */
  readonly failed: boolean;
}

export interface ClosingOptions extends DrainOptions {
  /** Closes what is left; resolves to whether all of that worked. */
  readonly close: () => Promise<boolean>;
}

/** Drains, then closes everything. A failure on the way must not keep the rest open. */
export async function closeInOrder(options: ClosingOptions): Promise<Stopped> {
  const { workers, deadline, config, log, close } = options;
  // What replaced workers had to cut before is another story.
  const forcedBefore = workers.forcedAsOf();
  let failed = false;
  try {
    await drain(options);
  } catch (error) {
    failed = true;
    log.error({ error: describeError(error) }, "drain failed");
    // One that was only announced has no end of its own.
    deadline.shorten(config.gracePeriodMs);
    await workers.drain(deadline.atMs);
  }
  deadline.clear();
  if (!(await close())) failed = true;
  const forced = workers.forcedAsOf() - forcedBefore;
  if (forced > 0) log.warn({ forced }, "open connections cut");
  return { forced, failed };
}

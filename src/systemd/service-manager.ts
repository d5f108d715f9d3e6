import { systemClock, type Clock } from "../lifecycle/deadline.ts";
import type { Phase } from "../lifecycle/phase.ts";
import { judge } from "../ops/health.ts";
import type { Standing } from "../snapshot.ts";
import type { Message, NotifyQueue } from "./notify-queue.ts";

/** How often the line that `systemctl status` shows is looked at. */
const LOOK_INTERVAL_MS = 5_000;
/** What a stop may take beyond its grace period: hooks, and workers that are killed. */
const STOP_MARGIN_MS = 5_000;
/** How long the last messages may take when we end. */
const FLUSH_WITHIN_MS = 2_000;

export interface ServiceManagerOptions {
  readonly queue: Pick<NotifyQueue, "send" | "flush">;
  /** Silence after which the manager restarts us; undefined when it does not watch us. */
  readonly watchdogMs: number | undefined;
  readonly gracePeriodMs: number;
  /** How things stand now. */
  readonly standing: () => Standing;
  /** Microseconds of the monotonic clock (that of the kernel). */
  readonly monotonicUsec?: () => bigint;
  readonly clock?: Clock;
}

/**
 * Tells the service manager how we are: ready, reloading, stopping, alive. One that does not want to
 * know is `NO_SERVICE_MANAGER`.
 */
export interface ServiceManager {
  /** Follows the phase. */
  enter(phase: Phase): void;
  /** The drain has an end now; one that was only announced has none yet, and the service is not stopping. */
  stop(): void;
  /** Runs a reload, and says so for as long as it takes. */
  whileReloading(reload: () => Promise<void>): Promise<void>;
  /** Says no more; resolves when all that was said is sent. */
  close(): Promise<void>;
}

export const NO_SERVICE_MANAGER: ServiceManager = {
  enter() {},
  stop() {},
  whileReloading: (reload) => reload(),
  close: () => Promise.resolve(),
};

/** A service manager that speaks the protocol of sd_notify(3). */
export class NotifiedManager implements ServiceManager {
  readonly #options: ServiceManagerOptions;
  #reloads = 0;
  #isStopping = false;
  #hasBeenReady = false;
  #status = "";
  /** Timers by what they are for. */
  readonly #timers = new Map<"look" | "watchdog", () => void>();

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
  }

  enter(phase: Phase): void {
    // A drain that was announced during the start is served all the same, until a stop is asked for.
    const isUp = phase === "ready" || (phase === "draining" && !this.#isStopping);
    if (isUp && !this.#hasBeenReady) {
      this.#hasBeenReady = true;
      this.#say({ READY: 1 });
      this.#startTimers();
    } else if (phase === "draining") {
      this.#look();
    } else if (phase === "stopped") {
      this.#stopTimers();
    }
  }

  stop(): void {
    this.#isStopping = true;
    const { gracePeriodMs } = this.#options;
    this.#say({ STOPPING: 1, EXTEND_TIMEOUT_USEC: (gracePeriodMs + STOP_MARGIN_MS) * 1_000 });
  }

  async whileReloading(reload: () => Promise<void>): Promise<void> {
    this.#reloads += 1;
    const { monotonicUsec = readMonotonicUsec } = this.#options;
    this.#say({ RELOADING: 1, MONOTONIC_USEC: monotonicUsec() });
    try {
      await reload();
    } finally {
      this.#reloads -= 1;
      // Once for all of them: the first to end is not the end.
      if (this.#reloads === 0 && this.#hasBeenReady && !this.#isStopping) this.#say({ READY: 1 });
    }
  }

  async close(): Promise<void> {
    this.#stopTimers();
    await this.#options.queue.flush(FLUSH_WITHIN_MS);
  }

  #startTimers(): void {
    const { watchdogMs } = this.#options;
    this.#every("look", LOOK_INTERVAL_MS, () => this.#look());
    if (watchdogMs === undefined) return;
    this.#sayAlive();
    this.#every("watchdog", watchdogMs / 2, () => this.#sayAlive());
  }

  #every(name: "look" | "watchdog", intervalMs: number, act: () => void): void {
    const { clock = systemClock } = this.#options;
    const cancel = clock.after(intervalMs, () => {
      this.#every(name, intervalMs, act);
      act();
    });
    this.#timers.set(name, cancel);
  }

  #stopTimers(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  /** That our loop turns is shown by our being here. */
  #sayAlive(): void {
    const { queue, standing } = this.#options;
    if (judge("livez", standing()).passed) queue.send({ WATCHDOG: 1 });
  }

  #look(): void {
    if (this.#describe() !== this.#status) this.#say({});
  }

  #say(message: Message): void {
    this.#status = this.#describe();
    this.#options.queue.send({ ...message, STATUS: this.#status });
  }

  /** The line that `systemctl status` shows. */
  #describe(): string {
    const standing = this.#options.standing();
    const { phase, workers } = standing;
    if (phase === "starting") return "Starting";
    if (phase === "stopped") return "Stopped";
    if (this.#isStopping) return `Draining, ${workers.length} workers left`;
    if (phase === "draining") return `Drain announced, ${countReady(standing)}`;
    if (this.#reloads > 0) return `Replacing workers, ${countReady(standing)}`;
    return describeReadiness(standing);
  }
}

function countReady({ workers, workersWanted }: Standing): string {
  const ready = workers.filter(({ state }) => state === "ready").length;
  return `${ready} of ${workersWanted} workers ready`;
}

function describeReadiness(standing: Standing): string {
  const failed = judge("readyz", standing).checks.flatMap((check) =>
    check.outcome === "failed" ? [check.reason] : [],
  );
  if (failed.length > 0) return `Not ready: ${failed.join("; ")}`;
  const addresses = standing.endpoints.map(({ address }) => address).join(", ");
  return `Ready, ${countReady(standing)}, on ${addresses}`;
}

/** On Linux the clock of `hrtime` is the one that systemd compares with. */
function readMonotonicUsec(): bigint {
  return process.hrtime.bigint() / 1_000n;
}

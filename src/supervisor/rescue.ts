import { describeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { Watchdog, type WatchdogOptions } from "./watchdog.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/** What a worker that may come back is given to finish its requests; after that it is killed. */
const GRACE_MS = 5_000;
/** How long to leave a worker alone whose successor could not start. */
const RETRY_MS = 10_000;
/** Failures in a row after which only a restart of the whole process may help. */
const HOPELESS_FROM = 5;

export interface RescueOptions extends Omit<WatchdogOptions<WorkerHandle>, "onSilent"> {
  readonly log: Logger;
  /**
   * Starts a successor of a worker, and when that is ready lets the worker finish within a grace period,
   * which is asked for then. Resolves `true` when that is done or not wanted any more, `false` when it
   * is to be tried again soon; rejects when the successor cannot start.
   */
  readonly replace: (worker: WorkerHandle, readGraceMs: () => number) => Promise<boolean>;
}

/** One spell of silence of a worker. */
interface Spell {
  readonly heardAtMs: number;
  retryAtMs: number;
  /** Successors that could not start. */
  failures: number;
}

/**
 * Replaces workers whose loop does not turn, and says where it is held up. One at a time, so that no
 * more than one is on top; a reload or recycling that is under way is not waited for.
 */
export class Rescue {
  readonly #options: RescueOptions;
  readonly #watchdog: Watchdog<WorkerHandle>;
  readonly #spells = new WeakMap<WorkerHandle, Spell>();
  #turns: Promise<void> = Promise.resolve();

  constructor(options: RescueOptions) {
    this.#options = options;
    this.#watchdog = new Watchdog({
      ...options,
      onSilent: (worker, silentForMs) => this.#attend(worker, silentForMs),
    });
  }

  /** Watches from now on. Called again it takes over a timeout that was 0. */
  start(): void {
    this.#watchdog.start();
  }

  stop(): void {
    this.#watchdog.stop();
  }

  /** It is still silent, and starting a successor has failed for too long. */
  hasGivenUp(worker: WorkerHandle): boolean {
    const spell = this.#spells.get(worker);
    return spell?.heardAtMs === worker.heardAtMs && spell.failures >= HOPELESS_FROM;
  }

  /** Called again and again while the worker is silent. */
  #attend(worker: WorkerHandle, silentForMs: number): void {
    const { clock } = this.#options;
    const known = this.#spells.get(worker);
    if (known?.heardAtMs === worker.heardAtMs) {
      if (clock.now() >= known.retryAtMs) this.#queue(worker, known);
      return;
    }
    const spell = { heardAtMs: worker.heardAtMs, retryAtMs: Number.POSITIVE_INFINITY, failures: 0 };
    this.#spells.set(worker, spell);
    void this.#tell(worker, silentForMs);
    this.#queue(worker, spell);
  }

  #queue(worker: WorkerHandle, spell: Spell): void {
    spell.retryAtMs = Number.POSITIVE_INFINITY;
    this.#turns = this.#turns.then(() => this.#replace(worker, spell));
  }

  async #replace(worker: WorkerHandle, spell: Spell): Promise<void> {
    const { clock, log, replace } = this.#options;
    // It may have come back, or ended, before its turn came.
    if (worker.heardAtMs !== spell.heardAtMs || worker.state !== "ready") return;
    try {
      // One that has come back meanwhile is treated like any other.
      const readGraceMs = (): number =>
        worker.heardAtMs === spell.heardAtMs ? GRACE_MS : Number.POSITIVE_INFINITY;
      if (!(await replace(worker, readGraceMs))) spell.retryAtMs = clock.now();
    } catch (error) {
      spell.failures += 1;
      spell.retryAtMs = clock.now() + RETRY_MS;
      const fields = { worker: worker.slot, pid: worker.pid, error: describeError(error) };
      log.error(fields, "unresponsive worker could not be replaced");
    }
  }

  async #tell(worker: WorkerHandle, silentForMs: number): Promise<void> {
    const { slot, pid } = worker;
    const stack = await worker.readStack();
    const found =
      stack.kind === "frames" ? { blockedAt: stack.frames } : { blockedAtUnknown: stack.reason };
    this.#options.log.error({ worker: slot, pid, silentForMs, ...found }, "worker unresponsive");
  }
}

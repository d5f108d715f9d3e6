import { describeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { Turns } from "../lifecycle/turns.ts";
import { Watchdog, type WatchdogOptions } from "./watchdog.ts";
import type { WorkerHandle } from "./worker-handle.ts";
import type { WorkerSlot } from "./worker-slot.ts";

/** What a worker that may come back is given to finish its requests; after that it is killed. */
const GRACE_MS = 5_000;
/** How long to leave a worker alone whose successor could not start. */
const RETRY_MS = 10_000;
/** Failures in a row after which only a restart of the whole process may help. */
const HOPELESS_FROM = 5;

export interface RescueOptions extends Omit<WatchdogOptions<WorkerHandle>, "onSilent"> {
  readonly log: Logger;
  /** The slot that a worker fills; undefined when nobody is to follow it. */
  readonly slotOf: (worker: WorkerHandle) => WorkerSlot | undefined;
  /** What any worker is given to finish its requests. */
  readonly readGraceMs: () => number;
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
  readonly #turns = new Turns();
  #isStopped = false;

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

  /** Watches no more, and starts nobody in anybody's place. */
  stop(): void {
    this.#isStopped = true;
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
    void this.#turns.take(() => this.#replace(worker, spell));
  }

  async #replace(worker: WorkerHandle, spell: Spell): Promise<void> {
    const { clock, log, slotOf } = this.#options;
    // It may have come back, or ended, before its turn came.
    if (worker.heardAtMs !== spell.heardAtMs || worker.state !== "ready") return;
    const slot = slotOf(worker);
    if (slot === undefined || this.#isStopped) return;
    if (slot.isBeingReplaced) {
      spell.retryAtMs = clock.now();
      return;
    }
    try {
      await slot.succeed("unresponsive", () => this.#graceOf(worker, spell), worker);
    } catch (error) {
      if (this.#isStopped) return;
      spell.failures += 1;
      spell.retryAtMs = clock.now() + RETRY_MS;
      const fields = { worker: worker.slot, pid: worker.pid, error: describeError(error) };
      log.error(fields, "unresponsive worker could not be replaced");
    }
  }

  /** One that has come back meanwhile is treated like any other. */
  #graceOf(worker: WorkerHandle, spell: Spell): number {
    const usualMs = this.#options.readGraceMs();
    return worker.heardAtMs === spell.heardAtMs ? Math.min(GRACE_MS, usualMs) : usualMs;
  }

  async #tell(worker: WorkerHandle, silentForMs: number): Promise<void> {
    const { slot, pid } = worker;
    const stack = await worker.readStack();
    const found =
      stack.kind === "frames" ? { blockedAt: stack.frames } : { blockedAtUnknown: stack.reason };
    this.#options.log.error({ worker: slot, pid, silentForMs, ...found }, "worker unresponsive");
  }
}

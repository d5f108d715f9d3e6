import type { BackoffView, RestartReason } from "../snapshot.ts";
import type { WorkerHandle } from "./worker-handle.ts";
import { WorkerSlot, type WorkerSlotOptions } from "./worker-slot.ts";

/** What every slot is made with. */
export interface SlotsOptions extends Omit<
  WorkerSlotOptions,
  "index" | "readSize" | "onStay" | "onWorn"
> {
  /** Told of a worker that has served long enough, and of the slot it fills. */
  readonly onWorn: (slot: WorkerSlot, worn: WorkerHandle, reason: RestartReason) => void;
}

/** The slots of a process by number: those that are to be filled, and retired ones until their last worker is gone. */
export class Slots {
  readonly #options: SlotsOptions;
  #all: readonly WorkerSlot[] = [];

  constructor(options: SlotsOptions) {
    this.#options = options;
  }

  /** Those that are to be filled, the youngest last. */
  get active(): readonly WorkerSlot[] {
    return this.#all.filter(({ isRetired }) => !isRetired);
  }

  /** Every living worker, those included that are about to replace another or to leave. */
  get handles(): readonly WorkerHandle[] {
    return this.#all.flatMap(({ handles }) => handles);
  }

  /** Slots that wait before they are filled again. */
  get backoffs(): readonly BackoffView[] {
    return this.active.flatMap(({ backoff }) => backoff ?? []);
  }

  /** The slot that a worker fills; undefined when it fills none, or one that is not to be filled again. */
  filledBy(worker: WorkerHandle): WorkerSlot | undefined {
    return this.active.find((slot) => slot.isFilledBy(worker));
  }

  /** Adds an empty slot, with the lowest number that is free. */
  add(): WorkerSlot {
    const { onWorn, onGone } = this.#options;
    const taken = new Set(this.#all.map(({ index }) => index));
    let free = 0;
    while (taken.has(free)) free += 1;
    const slot = new WorkerSlot({
      ...this.#options,
      index: free,
      readSize: () => this.active.length,
      onWorn: (worn, reason) => onWorn(slot, worn, reason),
      onStay: () => {
        // What kept this one from staying may have kept the others.
        for (const other of this.active) other.retry();
      },
      onGone: (handle) => {
        onGone(handle);
        this.#dropEmpty();
      },
    });
    this.#all = [...this.#all, slot];
    return slot;
  }

  /** Lets the worker of the youngest slot finish, and fills that no more; there is always one that stays. */
  retireYoungest(graceMs: number): void {
    const { active } = this;
    if (active.length > 1) active.at(-1)?.retire(graceMs);
    this.#dropEmpty();
  }

  /** Takes back every restart that waits for its time. */
  stopRestarts(): void {
    for (const slot of this.#all) slot.stopRestart();
  }

  #dropEmpty(): void {
    this.#all = this.#all.filter(({ isRetired, handles }) => !isRetired || handles.length > 0);
  }
}

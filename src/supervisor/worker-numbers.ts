import type { WorkerSnapshot } from "../protocol.ts";
import { addUpCounts } from "./add-up-counts.ts";
import { latestOf } from "./counter-page.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** The numbers of one worker: as it reported them last, and as far as they are at hand, those of this instant. */
export class WorkerNumbers {
  readonly #process: Pick<WorkerProcess, "counters" | "snapshot">;
  #reported: WorkerSnapshot | undefined;
  /** As it told itself when it had drained. */
  #forced: number | undefined;
  readonly #questions = new Map<number, () => void>();
  #lastId = 0;
  #isClosed = false;

  constructor(process: Pick<WorkerProcess, "counters" | "snapshot">) {
    this.#process = process;
  }

  /** The last it sent, which cost nothing to look at. */
  get reported(): WorkerSnapshot | undefined {
    return this.#reported;
  }

  /** The latest, read anew each time; once closed, the last there were. */
  read(): WorkerSnapshot | undefined {
    if (this.#isClosed) return this.#reported;
    return this.#process.snapshot?.() ?? this.#readCounts();
  }

  /** A question for fresh numbers; `answered` resolves when they are here, or there will be none. */
  ask(): { readonly id: number; readonly answered: Promise<void> } {
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    const id = (this.#lastId += 1);
    this.#questions.set(id, resolve);
    return { id, answered };
  }

  /** @param answers The question that they answer (none). */
  note(reported: WorkerSnapshot, answers?: number): void {
    this.#reported = reported;
    if (answers !== undefined) this.#answer(answers);
  }

  noteDrained(reported: WorkerSnapshot, forced: number): void {
    this.#reported = reported;
    this.#forced = forced;
  }

  /** Connections that were cut with it, by these numbers: where it was killed that is all it had, and one at least. */
  forcedIn(
    snapshot: WorkerSnapshot | undefined,
    { wasKilled }: { readonly wasKilled: boolean },
  ): number {
    if (this.#forced !== undefined) return this.#forced;
    if (!wasKilled) return addUpCounts(snapshot, (counters) => counters.closed("forced"));
    const open = addUpCounts(snapshot, (counters) => counters.open);
    return Math.max(open, 1);
  }

  /** Reads for the last time, answers whoever waits, and lets go of the memory that the worker has written to. */
  close(): void {
    for (const id of this.#questions.keys()) this.#answer(id);
    this.#reported = this.#readCounts();
    this.#isClosed = true;
    this.#process.counters?.page.close();
  }

  #answer(id: number): void {
    this.#questions.get(id)?.();
    this.#questions.delete(id);
  }

  /** The last report with the counts that the worker has written since. */
  #readCounts(): WorkerSnapshot | undefined {
    const { counters } = this.#process;
    if (this.#reported === undefined || counters === undefined) return this.#reported;
    const latest = latestOf(counters.page.read(), this.#reported.counters);
    return { ...this.#reported, counters: latest };
  }
}

import type { Scope } from "../helpers/scope.ts";

/** Something that is fed at random. */
export interface Target {
  readonly name: string;
  /** Feeds it with cases of consecutive seeds until one fails, or there is no more time, and says how many those were. */
  readonly run: (options: TargetRun) => Promise<number>;
}

export interface TargetRun {
  readonly scope: Scope;
  /** Of the first case. */
  readonly seed: number;
  /** Most cases. */
  readonly cases: number;
  /** How long to go on, in milliseconds. */
  readonly forMs: number;
}

/** A case that does not hold; the same seed alone shows it again. */
export class FuzzFailure extends Error {
  readonly seeds: readonly number[];

  /** @param seeds Those of which one or all together did it. */
  constructor(message: string, seeds: readonly number[], cause?: unknown) {
    super(message, { cause });
    this.seeds = seeds;
  }
}

import { inspect } from "node:util";
import { createChance, type Chance } from "./random.ts";

export interface ForAllOptions<Case> {
  readonly draw: (chance: Chance) => Case;
  /** Throws for a case that does not hold. */
  readonly check: (drawn: Case) => void;
  /** (1,000) */
  readonly cases?: number;
  /** Of the first case; each that follows has the next one (1). */
  readonly seed?: number;
}

/** Checks what has to hold for whatever is drawn; names the seed and the case that does not. */
export function forAll<Case>({
  draw,
  check,
  cases = 1_000,
  seed: first = 1,
}: ForAllOptions<Case>): void {
  for (let seed = first; seed < first + cases; seed += 1) {
    const drawn = draw(createChance(seed));
    try {
      check(drawn);
    } catch (cause) {
      const shown = inspect(drawn, { depth: 6, breakLength: 120 });
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Does not hold for seed ${seed}: ${shown}\n${reason}`, { cause });
    }
  }
}

/** Where the middle of some numbers lies and how far they spread. */
export interface Quartiles {
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
}

/** Quartiles by linear interpolation. */
export function quartiles(values: readonly number[]): Quartiles {
  const sorted = values.toSorted((a, b) => a - b);
  return { q1: quantile(sorted, 0.25), median: quantile(sorted, 0.5), q3: quantile(sorted, 0.75) };
}

/**
 * Half the width of the range that has the true median with 95 % probability. Counted in ranks, so
 * nothing is presumed of how the values are spread.
 */
export function medianError(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = 0.98 / Math.sqrt(values.length);
  const low = quantile(sorted, Math.max(0.5 - reach, 0));
  return (quantile(sorted, Math.min(0.5 + reach, 1)) - low) / 2;
}

function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const low = sorted[Math.floor(position)] ?? NaN;
  const high = sorted[Math.ceil(position)] ?? NaN;
  return low + (high - low) * (position % 1);
}

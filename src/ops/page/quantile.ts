import type { Durations } from "./traffic.ts";

/** A quantile read from buckets. In the first and the last one only a bound of it is known. */
export interface Quantile {
  readonly kind: "about" | "below" | "above";
  readonly seconds: number;
}

/**
 * The duration that a share of the requests (0.99 of them, say) did not exceed; undefined without requests. Within a
 * bucket requests are taken to be spread evenly, as Prometheus' `histogram_quantile` does.
 */
export function quantileOf(
  { boundsSeconds, buckets }: Durations,
  share: number,
): Quantile | undefined {
  const count = buckets.reduce((sum, bucket) => sum + bucket, 0);
  if (count === 0) return undefined;
  const rank = share * count;
  let below = 0;
  for (const [index, bound] of boundsSeconds.entries()) {
    const inBucket = buckets[index] ?? 0;
    if (below + inBucket < rank || inBucket === 0) {
      below += inBucket;
      continue;
    }
    if (index === 0) return { kind: "below", seconds: bound };
    const lower = boundsSeconds[index - 1] ?? 0;
    return { kind: "about", seconds: lower + ((bound - lower) * (rank - below)) / inBucket };
  }
  return { kind: "above", seconds: boundsSeconds.at(-1) ?? 0 };
}

/** The mean, which the sum of all durations tells exactly; undefined without requests. */
export function meanOf({ buckets, sumSeconds }: Durations): number | undefined {
  const count = buckets.reduce((sum, bucket) => sum + bucket, 0);
  return count === 0 ? undefined : sumSeconds / count;
}

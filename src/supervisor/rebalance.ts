/** How far from the average a number of connections may be: 1.10 times it is even enough. */
const TOLERANCE = 0.1;
/** Part of its connections a worker lets go of at once. */
const PART_AT_ONCE = 1 / 4;
/** The most it lets go of at once. */
const MOST_AT_ONCE = 64;

/**
 * Tells how many connections workers are to let go of, so that those with fewer get them; empty when
 * all are even enough. None goes below the average, and none gives away more than a part at once.
 */
export function planMoves<Id>(connections: ReadonlyMap<Id, number>): ReadonlyMap<Id, number> {
  const counts = [...connections.values()];
  const average = mean(counts);
  if (counts.length < 2 || isEven(counts, average)) return new Map();
  const [floor, ceiling] = [Math.floor(average), Math.ceil(average)];
  const above = counts.reduce((sum, count) => sum + Math.max(count - ceiling, 0), 0);
  const below = counts.reduce((sum, count) => sum + Math.max(floor - count, 0), 0);
  let left = Math.max(above, below);
  const moves = new Map<Id, number>();
  // Whoever has most gives first, and the last ones that are wanted come from those barely above.
  for (const [id, count] of [...connections].toSorted(([, a], [, b]) => b - a)) {
    const wanted = Math.min(count - floor, left);
    const most = Math.min(Math.ceil(count * PART_AT_ONCE), MOST_AT_ONCE);
    if (wanted > 0) moves.set(id, Math.min(wanted, most));
    left -= Math.max(wanted, 0);
  }
  return moves;
}

function isEven(counts: readonly number[], average: number): boolean {
  const high = Math.max(Math.ceil(average), average * (1 + TOLERANCE));
  const low = Math.min(Math.floor(average), average * (1 - 2 * TOLERANCE));
  return Math.max(...counts) <= high && Math.min(...counts) >= low;
}

/** Load below which nobody waits long enough for a move to help: half of the time something is done. */
const LEAST_LOAD = 0.5;
/** How far above the average a load must be. */
const EXCESS = 1.3;
/** And how far above the least. */
const LEAST_GAP = 0.5;

/**
 * Tells what part of their load workers are to let go of, from 0 to 1; empty when no move is worth a
 * new connection. A part is never more than halfway to the least loaded, where it may all end up.
 */
export function planRelief<Id>(loads: ReadonlyMap<Id, number>): ReadonlyMap<Id, number> {
  const values = [...loads.values()];
  if (values.length < 2) return new Map();
  const average = mean(values);
  const least = Math.min(...values);
  const isOverloaded = (load: number): boolean =>
    load >= LEAST_LOAD && load >= average * EXCESS && load - least >= LEAST_GAP;
  return new Map(
    [...loads]
      .filter(([, load]) => isOverloaded(load))
      .map(([id, load]) => [id, Math.min(load - average, (load - least) / 2) / load]),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

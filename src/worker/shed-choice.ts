import type { ShedOrder } from "../protocol.ts";

/**
 * Chooses connections to let go of, from those that answered requests in a sample.
 *
 * To move load it takes the busiest that fit into the share. One that carries more is left: it would
 * only take the hot spot along. So are those that carry next to nothing: moving them helps nobody.
 * With a share of 1 the number is what counts, and a cross-section of busy and quiet ones is taken,
 * so that who gets them gets average ones.
 */
export function chooseConnections<Connection>(
  answers: ReadonlyMap<Connection, number>,
  { connections, share }: ShedOrder,
): Connection[] {
  const byAnswers = [...answers].toSorted(([, a], [, b]) => b - a);
  if (share >= 1) return crossSection(byAnswers, connections).map(([connection]) => connection);
  const total = byAnswers.reduce((sum, [, count]) => sum + count, 0);
  let left = share * total;
  const least = left / (2 * connections);
  const chosen: Connection[] = [];
  for (const [connection, count] of byAnswers) {
    if (chosen.length >= connections || count < least) break;
    if (count > left) continue;
    chosen.push(connection);
    left -= count;
  }
  return chosen;
}

/** Evenly spaced items: of one the middle, of two those a quarter from each end. */
function crossSection<Item>(items: readonly Item[], wanted: number): Item[] {
  const count = Math.min(wanted, items.length);
  return Array.from({ length: count }, (_, index) =>
    Math.floor(((index + 0.5) * items.length) / count),
  ).flatMap((at) => items.slice(at, at + 1));
}

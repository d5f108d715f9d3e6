/** What to try before a sequence is short enough: each try is a whole run. */
const MOST_TRIES = 400;

/** Leaves out of a sequence that fails what it fails without, in ever smaller pieces. */
export async function shrink<Item>(
  sequence: readonly Item[],
  fails: (shorter: readonly Item[]) => Promise<boolean>,
): Promise<readonly Item[]> {
  let shortest = sequence;
  let tries = 0;
  for (let size = Math.ceil(shortest.length / 2); size >= 1; size = Math.floor(size / 2)) {
    let start = 0;
    while (start < shortest.length && tries < MOST_TRIES) {
      tries += 1;
      const shorter = shortest.toSpliced(start, size);
      if (await fails(shorter)) shortest = shorter;
      else start += size;
    }
  }
  return shortest;
}

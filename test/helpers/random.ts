/** Numbers from 0 up to 1 that are the same in every run; neighbouring seeds have nothing in common. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws by chance, the same in every run. */
export interface Chance {
  /** A number from 0 up to 1. */
  readonly next: () => number;
  /** A whole number from 0 up to `end`. */
  readonly below: (end: number) => number;
  /** Whether something happens that does so in that share of cases. */
  readonly is: (share: number) => boolean;
  /** One of several. */
  readonly pick: <Item>(items: readonly [Item, ...Item[]]) => Item;
  /** So many that each is drawn anew. */
  readonly list: <Item>(length: number, draw: () => Item) => Item[];
  /** Up to `longest` characters, each one of these. */
  readonly text: (characters: string, longest: number) => string;
}

export function createChance(seed: number): Chance {
  const next = seededRandom(seed);
  const below = (end: number): number => Math.floor(next() * end);
  const list = <Item>(length: number, draw: () => Item): Item[] => Array.from({ length }, draw);
  return {
    next,
    below,
    is: (share) => next() < share,
    pick: (items) => items[below(items.length)] ?? items[0],
    list,
    text(characters, longest) {
      const each = Array.from(characters);
      return list(below(longest + 1), () => each[below(each.length)] ?? "").join("");
    },
  };
}

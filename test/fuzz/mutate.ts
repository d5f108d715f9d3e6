import type { Chance } from "../helpers/random.ts";

/** Bytes that parsers look for. */
const INTERESTING = [
  "\r\n", "\r\n\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", ";", "=", "0", "-1", "ffffffff", "\x7f", "\x80", "\xff", "HTTP/1.1",
  "chunked", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "\0\0\0\x04\0\0\0\0\0",
] as const; // prettier-ignore
const MOST_CHANGES = 4;
const LONGEST_RANGE = 40;

/** The same bytes with a few of them changed. */
export function mutate(bytes: Buffer, chance: Chance): Buffer {
  let mutated = bytes;
  for (let left = 1 + chance.below(MOST_CHANGES); left > 0; left -= 1)
    mutated = change(mutated, chance);
  return mutated;
}

function change(bytes: Buffer, { below, pick }: Chance): Buffer {
  const at = below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + below(LONGEST_RANGE));
  const [before, range, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)];
  const put = (...middle: readonly Buffer[]): Buffer => Buffer.concat([before, ...middle, after]);
  return pick<() => Buffer>([
    () => put(),
    () => put(range, range),
    () => put(Buffer.from(range).reverse()),
    () => put(Buffer.from(range.map((byte) => byte ^ (1 << below(8))))),
    () => put(Buffer.from(range.map(() => below(256)))),
    () => put(Buffer.from(pick(INTERESTING), "latin1"), range),
    () => put(Buffer.from(pick(INTERESTING), "latin1")),
    () => before,
  ])();
} // prettier-ignore

/** The same bytes in some pieces, now and then in single ones. */
export function split(bytes: Buffer, { below, is, list }: Chance): Buffer[] {
  if (bytes.length < 300 && is(0.05)) return Array.from(bytes, (byte) => Buffer.from([byte]));
  const cuts = list(below(5), () => below(bytes.length + 1)).toSorted((a, b) => a - b);
  return [0, ...cuts].map((cut, index) => bytes.subarray(cut, cuts[index] ?? bytes.length));
}

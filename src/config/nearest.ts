import { closest, distance } from "fastest-levenshtein";

/** Ends a refusal with `: did you mean "x"`; empty when no candidate shares half of its letters. */
export function suggestNearest(word: string, candidates: readonly string[], prefix = ""): string {
  const ending = word.slice(prefix.length);
  const nearest = closest(
    ending,
    candidates.map((candidate) => candidate.slice(prefix.length)),
  );
  return distance(ending, nearest) <= Math.ceil(nearest.length / 2)
    ? `: did you mean "${prefix}${nearest}"`
    : "";
}

import { closest, distance } from "fastest-levenshtein";

/** Letters of a name that tell which one was begun. */
const LEAST_BEGINNING = 3;

/** Ends a refusal with `: did you mean "x"`; empty when no candidate begins so or shares half of its letters. */
export function suggestNearest(word: string, candidates: readonly string[], prefix = ""): string {
  const ending = word.slice(prefix.length);
  const endings = candidates.map((candidate) => candidate.slice(prefix.length));
  const begun = ending.length >= LEAST_BEGINNING && endings.find((one) => one.startsWith(ending));
  const nearest = begun || closest(ending, endings);
  const isNear = begun || distance(ending, nearest) <= Math.ceil(nearest.length / 2);
  return isNear ? `: did you mean "${prefix}${nearest}"` : "";
}

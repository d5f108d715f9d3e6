import { Argument, Option, type Command } from "commander";
import { parseDuration } from "../config/duration.ts";
import { suggestNearest } from "../config/nearest.ts";
import { ValueError } from "../config/value-error.ts";
import { onlyOnce } from "./serve-options.ts";

export interface OwnOption<T> {
  /** Such as `--timeout`. */
  readonly flag: string;
  /** Stands for the value in help. */
  readonly placeholder: string;
  readonly description: string;
  /** As it would be written. */
  readonly default: string;
  /** Throws a `ValueError` for what it refuses. */
  readonly parse: (text: string) => T;
}

/** Gives a subcommand an option of its own; the returned function reads it once it was parsed. */
export function addOwnOption<T>(command: Command, own: OwnOption<T>): () => T {
  const { flag, placeholder, description, default: fallback, parse } = own;
  const option = new Option(
    `${flag} <${placeholder}>`,
    `${description} (default: ${fallback})`,
  ).argParser((text, before: string | undefined) => onlyOnce(flag, text, before));
  command.addOption(option);
  return () => {
    const text: unknown = command.getOptionValue(option.attributeName());
    return readAt(flag, typeof text === "string" ? text : fallback, parse);
  };
}

/** One of a few words as an argument. */
export function wordArgument(name: string, words: readonly string[]): Argument {
  const list = words.join("|");
  return new Argument(`<${list}>`).argParser((text) =>
    readAt(name, text, (word) => parseWord(word, words)),
  );
}

/** Reads one of a few words. */
export function parseWord<Word extends string>(text: string, words: readonly Word[]): Word {
  const word = words.find((known) => known === text);
  if (word !== undefined) return word;
  throw new ValueError(
    text,
    `expected ${words.join(", ")}${suggestNearest(text, words)}`,
    "ERR_USAGE",
  );
}

/** Reads a duration that is a limit, which cannot be 0. */
export function parseTimeout(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds > 0) return milliseconds;
  throw new ValueError(text, "expected a duration above 0, such as 2s");
}

function readAt<T>(place: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (thrown) {
    throw thrown instanceof ValueError ? thrown.at(`${place} ${JSON.stringify(text)}`) : thrown;
  }
}

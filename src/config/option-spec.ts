import type { ValueKind } from "./kinds.ts";

/** Headings of the help, in its order. */
export const OPTION_GROUPS = [
  "Endpoints",
  "Workers",
  "HTTP",
  "Stopping",
  "Logs",
  "Configuration",
] as const;

/** Where a value may come from; `flag` is the command line. */
export type OptionSource = "flag" | "variable" | "file";

/** All that is said of one option. */
export interface OptionSpec<T> {
  readonly group: (typeof OPTION_GROUPS)[number];
  readonly description: string;
  readonly kind: ValueKind<T>;
  /** As the config file would hold it; undefined when nothing stands in for the option. */
  readonly default?: string | number;
  /** Where it may be given (everywhere). */
  readonly sources?: readonly OptionSource[];
}

import type { OptionName } from "./options.ts";

/** Begins the name of every variable of ours. */
export const VARIABLE_PREFIX = "OUTRIGGER_";

/** `--grace-period` for `grace-period`. */
export function flagOf(name: OptionName): string {
  return `--${name}`;
}

/** `OUTRIGGER_GRACE_PERIOD` for `grace-period`. */
export function variableOf(name: OptionName): string {
  return `${VARIABLE_PREFIX}${name.toUpperCase().replaceAll("-", "_")}`;
}

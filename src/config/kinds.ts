import type { AppServerChoice, OpsEndpoint, WebSocketCloseCode } from "./config.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { formatHostPort } from "../host-port.ts";
import { parseHostPort } from "./host-port.ts";
import { parseHeaderSize } from "./limits.ts";
import { formatSize, parseSize } from "./size.ts";
import { ValueError } from "./value-error.ts";
import {
  formatAppServer, formatMode, formatTrustedProxies, parseAccount, parseAppServer, parseBacklog, parseChoice, parseCount, parseMode,
  parseCloseCode, parsePositiveCount, parseText, parseToggle, parseTrustedProxies, parseWorkers,
} from "./values.ts"; // prettier-ignore

/** A value as the config file holds it. */
export type FileValue = string | number | boolean | readonly string[];

/** How the values of an option are read and written. */
export interface ValueKind<T> {
  /** Stands for the value in help, such as `DURATION`; empty for a switch. */
  readonly placeholder: string;
  /** One text per time the option is given; a list may be given many times, anything else once. */
  readonly arity: "one" | "list" | "switch";
  /** Whether a config file may hold it as a JSON number. */
  readonly isNumeric: boolean;
  parse(texts: readonly string[]): T;
  format(value: T): FileValue;
}

export const SWITCH: ValueKind<true> = {
  placeholder: "",
  arity: "switch",
  isNumeric: false,
  parse: () => true,
  format: String,
};

/** A switch that variables and the config file can turn on and off. */
export const TOGGLE: ValueKind<boolean> = {
  placeholder: "",
  arity: "switch",
  isNumeric: false,
  parse: (texts) => parseToggle(texts.at(-1) ?? ""),
  format: (value) => value,
};

export const TEXT: ValueKind<string> = one("NAME", parseText, (text) => text);
export const FILE: ValueKind<string> = one("FILE", parseText, (path) => path);
export const SOCKET: ValueKind<string> = one("PATH", parseText, (path) => path);
export const ACCOUNT: ValueKind<string> = one("GROUP", parseAccount, (account) => account);
export const MODE: ValueKind<number> = one("MODE", parseMode, formatMode);
export const DURATION: ValueKind<number> = one("DURATION", parseDuration, formatDuration);
export const SIZE: ValueKind<number> = one("SIZE", parseSize, formatSize);
export const HEADER_SIZE: ValueKind<number> = one("SIZE", parseHeaderSize, formatSize);
export const COUNT: ValueKind<number> = numeric("N", parseCount);
export const POSITIVE_COUNT: ValueKind<number> = numeric("N", parsePositiveCount);
export const BACKLOG: ValueKind<number> = numeric("N", parseBacklog);
export const APP_SERVER: ValueKind<AppServerChoice> = {
  ...one("PORT|auto|off", parseAppServer, formatAppServer),
  isNumeric: true,
};
export const WORKERS: ValueKind<number | "auto"> = numeric("N|auto", parseWorkers);
export const CLOSE_CODE: ValueKind<WebSocketCloseCode> = numeric("1012|1001|off", parseCloseCode);
export const OPS: ValueKind<OpsEndpoint | "off"> = one("HOST:PORT|off", parseOps, formatOps);

/** Endpoints are read later, when their surroundings are known. */
export const ENDPOINTS: ValueKind<readonly string[]> = list(
  "ENDPOINT",
  (texts) => texts.map(parseText),
  (texts) => texts,
);
export const PROXIES: ValueKind<readonly string[]> = list(
  "LIST",
  parseTrustedProxies,
  formatTrustedProxies,
);

/** One of a few words. */
export function choice<Choice extends string>(
  placeholder: string,
  choices: readonly Choice[],
): ValueKind<Choice> {
  return one(
    placeholder,
    (text) => parseChoice(text, choices),
    (word) => word,
  );
}

function one<T>(
  placeholder: string,
  parse: (text: string) => T,
  format: (value: T) => FileValue,
): ValueKind<T> {
  return {
    placeholder,
    arity: "one",
    isNumeric: false,
    parse: (texts) => parse(texts.at(-1) ?? ""),
    format,
  };
}

function numeric<T extends number | string>(
  placeholder: string,
  parse: (text: string) => T,
): ValueKind<T> {
  return { ...one(placeholder, parse, (value) => value), isNumeric: true };
}

function list(
  placeholder: string,
  parse: (texts: readonly string[]) => readonly string[],
  format: (values: readonly string[]) => readonly string[],
): ValueKind<readonly string[]> {
  return { placeholder, arity: "list", isNumeric: false, parse, format };
}

function parseOps(text: string): OpsEndpoint | "off" {
  if (text === "off") return "off";
  try {
    return parseHostPort(text);
  } catch (thrown) {
    throw thrown instanceof ValueError && !text.includes(":") && !/^\d+$/.test(text)
      ? new ValueError(text, "expected HOST:PORT or off", thrown.code)
      : thrown;
  }
}

function formatOps(ops: OpsEndpoint | "off"): string {
  return ops === "off" ? ops : formatHostPort(ops);
}

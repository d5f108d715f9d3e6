import { isIP } from "node:net";
import type { AppServerChoice, WebSocketCloseCode } from "./config.ts";
import { ValueError } from "./value-error.ts";

const HIGHEST_COUNT = 2 ** 31 - 1;
const HIGHEST_PORT = 65_535;
const MOST_WORKERS = 1024;
const NOBODY = "none";

/** Reads any text but an empty one. */
export function parseText(text: string): string {
  if (text.trim() === "") throw new ValueError(text, "expected a value");
  return text;
}

/** Reads whether a switch is on; the command line gives no text with it. */
export function parseToggle(text: string): boolean {
  if (text === "" || text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new ValueError(text, "expected true or false");
}

/** Reads a whole number that is not negative. */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new ValueError(text, "expected a whole number, 0 or more");
  return refuseAbove(HIGHEST_COUNT, text);
}

/** Reads a whole number from 1. */
export function parsePositiveCount(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) === 0)
    throw new ValueError(text, "expected a whole number, 1 or more");
  return refuseAbove(HIGHEST_COUNT, text);
}

/** Reads the length of an accept queue. */
export const parseBacklog: (text: string) => number = parsePositiveCount;

/** Reads a number of workers, or `auto` for one per CPU. */
export function parseWorkers(text: string): number | "auto" {
  if (text === "auto") return "auto";
  if (!/^\d+$/.test(text)) throw new ValueError(text, "expected auto or a whole number, 0 or more");
  return refuseAbove(MOST_WORKERS, text);
}

/** Reads which server of an app is served: by its port, `auto` for the first, or `off`. */
export function parseAppServer(text: string): AppServerChoice {
  if (text === "auto") return { kind: "first" };
  if (text === "off") return { kind: "off" };
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= HIGHEST_PORT)
    return { kind: "port", port: Number(text) };
  throw new ValueError(text, `expected auto, off or a port from 1 to ${HIGHEST_PORT}`);
}

/** Writes the choice the way `parseAppServer` reads it. */
export function formatAppServer(choice: AppServerChoice): string | number {
  if (choice.kind === "port") return choice.port;
  return choice.kind === "first" ? "auto" : choice.kind;
}

/** Reads the code that WebSockets are closed with. */
export function parseCloseCode(text: string): WebSocketCloseCode {
  switch (text) {
    case "1012":
      return 1012;
    case "1001":
      return 1001;
    case "off":
      return "off";
    default:
      throw new ValueError(text, "expected 1012 (service restart), 1001 (going away) or off");
  }
}

/** Reads permission bits in octal: `660` or `0660`. */
export function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new ValueError(text, "expected an octal mode such as 0660");
  return Number.parseInt(text, 8);
}

/** Writes permission bits the way `parseMode` reads them. */
export function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** Reads the name or number of a user or group. */
export function parseAccount(text: string): string {
  if (/^(?:\d+|[a-z_][a-z0-9_.-]*\$?)$/i.test(text)) return text;
  throw new ValueError(text, "expected a name such as www-data, or a number");
}

/** Reads one of a few words. */
export function parseChoice<Choice extends string>(
  text: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new ValueError(text, `expected one of ${choices.join(", ")}`);
}

/** Reads peers whose forwarded headers are believed: `unix`, addresses and CIDR ranges, or `none`. */
export function parseTrustedProxies(texts: readonly string[]): readonly string[] {
  const peers = texts.flatMap((text) => text.split(",")).map((peer) => peer.trim());
  if (peers.length === 0) return [];
  if (peers.length === 1 && peers[0] === NOBODY) return [];
  for (const peer of peers) refuseUnknownPeer(peer, texts.join(","));
  return [...new Set(peers)];
}

/** Writes the list the way `parseTrustedProxies` reads it. */
export function formatTrustedProxies(peers: readonly string[]): readonly string[] {
  return peers.length === 0 ? [NOBODY] : peers;
}

function refuseUnknownPeer(peer: string, list: string): void {
  if (peer === NOBODY) throw new ValueError(list, `"${NOBODY}" stands alone`);
  if (peer === "unix" || isIP(peer) !== 0) return;
  const [, address = "", bits = ""] = /^(.+)\/(\d{1,3})$/.exec(peer) ?? [];
  const mostBits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (bits !== "" && Number(bits) <= mostBits) return;
  throw new ValueError(
    list,
    `expected unix, addresses or CIDR ranges such as 10.0.0.0/8, and "${peer}" is none`,
  );
}

function refuseAbove(highest: number, text: string): number {
  if (Number(text) <= highest) return Number(text);
  throw new ValueError(text, `expected at most ${highest}`);
}

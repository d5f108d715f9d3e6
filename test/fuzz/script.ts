import { createChance, type Chance } from "../helpers/random.ts";
import type { Talk } from "../helpers/talk.ts";
import { drawHttp1 } from "./http1-messages.ts";
import { drawHttp2 } from "./http2-messages.ts";
import { mutate, split } from "./mutate.ts";
import { drawProxyHeader } from "./proxy-headers.ts";

/** What is said on one connection, and where. */
export interface Script extends Talk {
  /** Name of the endpoint. */
  readonly way: string;
  /** Through TLS, with this protocol. */
  readonly alpn: string | undefined;
  readonly version: "1" | "2";
}

const WAYS = [
  "unix",
  "abstract",
  "tcp",
  "handed",
  "tls",
  "tls",
  "proxied",
  "proxied",
  "ops",
] as const;
/** The beginning of a handshake. */
const HELLO = Buffer.from("160301004a010000460303", "hex"); // prettier-ignore

/** The same script for the same seed, in every run. */
export function writeScript(seed: number): Script {
  const chance = createChance(seed);
  const { pick, is } = chance;
  const way = pick(WAYS);
  const version = is(0.5) ? "1" : "2";
  const bytes = version === "1" ? drawHttp1(chance) : drawHttp2(chance);
  const isSecure = way === "tls" && is(0.8);
  const alpn = version === "1" ? "http/1.1" : "h2";
  return {
    way,
    version,
    alpn: isSecure ? alpn : undefined,
    pieces: split(isSecure ? bytes : dress(bytes, way, chance), chance),
    then: pick(["end", "end", "reset", "wait"]),
  };
}

/** What comes before HTTP where something must. */
function dress(bytes: Buffer, way: string, chance: Chance): Buffer {
  if (way === "proxied" && chance.is(0.9)) return Buffer.concat([drawProxyHeader(chance), bytes]);
  if (way === "tls" && chance.is(0.7)) return mutate(Buffer.concat([HELLO, bytes]), chance);
  return bytes;
}

const MOST_SHOWN = 2_000;

function show(piece: Buffer): string {
  const rest = piece.length - MOST_SHOWN;
  const text = JSON.stringify(piece.toString("latin1", 0, MOST_SHOWN));
  return rest > 0 ? `${text} and ${rest} bytes` : text;
}

/** For a person who looks for what is wrong. */
export function showScript({ way, alpn, pieces, then }: Script): string {
  const told = pieces.map((piece) => `  ${show(piece)}`);
  return [`to ${way}${alpn === undefined ? "" : `, ${alpn} through TLS`}`, ...told, `  then: ${then ?? "wait"}`].join("\n");
} // prettier-ignore

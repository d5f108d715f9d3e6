import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULTS, type Endpoint, type HandedSource } from "../../src/config/config.ts";
import { formatEndpoint, parseEndpoint } from "../../src/config/endpoint.ts";
import { parseHostPort } from "../../src/config/host-port.ts";
import { formatHostPort } from "../../src/host-port.ts";
import { forAll } from "../helpers/for-all.ts";
import type { Chance } from "../helpers/random.ts";
import { valueOf } from "../helpers/value-of.ts";

const CONTEXT = { cwd: "/srv/app", backlog: 4096, maxConnections: 0, limits: DEFAULTS.limits };
const WORD = "abcxyzABC0189_.-";
/** Pieces of the grammar, put together at random: most of it is nonsense, and some nearly right. */
const PIECES = [
  "/", "./", "../", "unix:", "unix://", "@", ":", "::", "[", "]", "[::1]", "127.0.0.1", "localhost", "8080", "99999", "fd:",
  "systemd:", "tcp://", "~", "?", "&", "=", "mode=", "0660", "name=", "backlog=", "max-connections=", "group=", "tls-cert=",
  "http=2", "%", "%eth0", "fe80::1", " ", "\t", "\n", "\0", "a", "app.sock", "é", "😀", "\ud83d", "x".repeat(60), "-1", "1e3", "*",
] as const; // prettier-ignore

function word({ text, pick }: Chance): string {
  return pick(["a", "Z", "0"]) + text(WORD, 8);
}

/** Any part of a path that is no folder of its own. */
function pathPart(chance: Chance): string {
  return word(chance) + chance.pick(["", " b", ":8080", "=&", "é", "@", "[1]", "%20", "~"]) + "z";
}

function host(chance: Chance): string {
  const { below, list, is } = chance;
  const hextet = (): string => (is(0.4) ? "0" : below(2 ** 16).toString(16));
  return chance.pick([
    () => list(4, () => String(below(256))).join("."),
    () => parseHostPort(`[${list(8, hextet).join(":")}]:1`).host,
    () => `fe80::${1 + below(9_999)}%eth${below(9)}`,
    () => `${list(1 + below(3), () => `h${below(1_000)}`).join(".")}.example`,
  ])();
}

function handedSource(chance: Chance): HandedSource {
  const { is, below } = chance;
  return is(0.5)
    ? { by: "descriptor", descriptor: 3 + below(10_000) }
    : { by: "name", socketName: word(chance) };
}

function drawTimeouts({ is, below }: Chance): Pick<Endpoint, "timeouts"> {
  const names = ["keepAliveTimeoutMs", "headersTimeoutMs", "requestTimeoutMs"];
  const timeouts = names.filter(() => is(0.3)).map((name) => [name, below(2 ** 31)]);
  return timeouts.length === 0 ? {} : { timeouts: Object.fromEntries(timeouts) };
}

function drawEndpoint(chance: Chance): Endpoint {
  const { below, is, pick, list } = chance;
  const account = (): string | undefined =>
    is(0.5) ? undefined : pick(["www-data", "1000", "_x$"]);
  const common = {
    name: word(chance) + pick(["", "/x:[1]", "@b"]),
    backlog: 1 + below(2 ** 31 - 1),
    maxConnections: below(2 ** 31),
    limits: {
      headerBytes: 2 ** 10 * (1 + below(2 ** 14)),
      headerCount: below(2 ** 31),
      requestLineBytes: 2 ** 10 * below(2 ** 20),
      bodyBytes: 2 ** 10 * below(2 ** 30),
      streams: 1 + below(2 ** 31 - 1),
    },
    ...drawTimeouts(chance),
    proxyProtocol: pick(["off", "optional", "require"] as const),
  };
  return pick<() => Endpoint>([
    () => ({ kind: "tcp", host: host(chance), port: below(65_536), ...common }),
    () => ({ kind: "abstract", abstractName: pathPart(chance), ...common }),
    () => ({ kind: "handed", source: handedSource(chance), found: undefined, ...common }),
    () => ({
      kind: "unix",
      path: `/${list(1 + below(3), () => pathPart(chance)).join("/")}`,
      mode: below(0o1000),
      group: account(),
      owner: account(),
      ...common,
    }),
  ])();
}

describe("parseEndpoint, for any endpoint", () => {
  it("reads what formatEndpoint writes", () =>
    forAll({
      draw: drawEndpoint,
      check: (endpoint) =>
        assert.deepEqual(parseEndpoint(formatEndpoint(endpoint), CONTEXT), endpoint),
    }));
});

describe("parseEndpoint, for any text", () => {
  const draw = ({ list, below, pick }: Chance): string =>
    list(below(7), () => pick(PIECES)).join("");

  it("understands it, and writes what it understood the same way again, or refuses it", () =>
    forAll({
      cases: 20_000,
      draw,
      check(text) {
        const understood = valueOf(() => parseEndpoint(text, CONTEXT));
        if (understood === undefined) return;
        const named = { ...understood, name: understood.name ?? "app" };
        assert.deepEqual(parseEndpoint(formatEndpoint(named), CONTEXT), named);
      },
    }));

  it("quotes the text that it refuses, on one line", () =>
    forAll({
      cases: 5_000,
      draw,
      check(text) {
        if (valueOf(() => parseEndpoint(text, CONTEXT)) !== undefined) return;
        const message = (thrown: Error): boolean =>
          thrown.message.startsWith(`Cannot use ${JSON.stringify(text)}: `) &&
          !/\p{Cc}/u.test(thrown.message);
        assert.throws(() => parseEndpoint(text, CONTEXT), message);
      },
    }));
});

describe("parseHostPort", () => {
  it("reads what formatHostPort writes", () =>
    forAll({
      draw: (chance) => ({ host: host(chance), port: chance.below(65_536) }),
      check: (address) => assert.deepEqual(parseHostPort(formatHostPort(address)), address),
    }));
});

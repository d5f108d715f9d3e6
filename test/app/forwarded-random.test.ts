import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, it } from "node:test";
import { createTrustedProxies, findClient, type Client } from "../../src/app/forwarded.ts";
import { forAll } from "../helpers/for-all.ts";
import type { Chance } from "../helpers/random.ts";

const PIECES = [
  "for=", "For=", "by=", "proto=https", ";", ",", ", ", '"', '\\"', "[", "]", ":", ":80", ":65535", ":65536", ":99999", "unknown", "_hidden", "=", " ",
  "10.0.0.1", "203.0.113.7", "::1", "2001:db8::7", "fe80::1%eth0", "%", "fe80::1%", "::ffff:10.0.0.1", "1.2.3", "\0", "é", "😀", "\n",
  "x".repeat(300),
] as const; // prettier-ignore
const TRUSTED = ["unix", "none of them", "10.0.0.0/8", "fe80::/10"];

interface Drawn {
  readonly forwardedFor: string | undefined;
  readonly forwarded: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly trusted: readonly string[];
}

function draw(chance: Chance): Drawn {
  const { is, list, below, pick } = chance;
  const header = (): string | undefined =>
    is(0.2) ? undefined : list(below(9), () => pick(PIECES)).join("");
  return {
    forwardedFor: header(),
    forwarded: header(),
    remoteAddress: pick([undefined, undefined, "10.0.0.1", "192.0.2.9", "::1", "fe80::1%eth0"]),
    trusted: TRUSTED.filter((entry) => entry !== "none of them" && is(0.6)),
  };
}

function find({ forwardedFor, forwarded, remoteAddress, trusted }: Drawn): Client | undefined {
  const peer = remoteAddress === undefined ? {} : { remoteAddress, remotePort: 4_711 };
  const headers = { forwardedFor, forwarded };
  return findClient({ headers, peer, trusted: createTrustedProxies(trusted) });
}

describe("findClient, whatever the headers hold", () => {
  it("finds an address and, perhaps, a port, or nobody", () =>
    forAll({
      cases: 20_000,
      draw,
      check(drawn) {
        const client = find(drawn);
        if (client === undefined) return;
        assert.notEqual(isIP(client.address), 0, client.address);
        const { port = 0 } = client;
        assert.ok(Number.isInteger(port) && port >= 0 && port < 65_536, `port ${port}`);
      },
    }));

  it("always finds the peer that has an address and is not trusted", () =>
    forAll({
      cases: 5_000,
      draw,
      check(drawn) {
        const { remoteAddress: address } = drawn;
        if (address !== "192.0.2.9") return;
        assert.deepEqual(find(drawn), { address, port: 4_711 });
      },
    }));

  it("finds whom the last trusted proxy appended, whatever the client sent before", () =>
    forAll({
      cases: 5_000,
      draw,
      check({ forwardedFor = "", forwarded }) {
        const appended = { forwardedFor: `${forwardedFor}, 203.0.113.7`, forwarded };
        const client = find({ ...appended, remoteAddress: undefined, trusted: ["unix"] });
        assert.deepEqual(client, { address: "203.0.113.7" });
      },
    }));
});

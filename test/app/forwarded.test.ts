import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  createTrustedProxies,
  findClient,
  findHost,
  findScheme,
  type Client,
  type ForwardedHeaders,
  type Scheme,
} from "../../src/app/forwarded.ts";

interface Case {
  /** The `X-Forwarded-For` header. */
  readonly xff?: string;
  /** The `Forwarded` header. */
  readonly forwarded?: string;
  /** Address of the peer (a Unix socket). */
  readonly peer?: string;
  /** Who is believed (`unix`). */
  readonly trusted?: readonly string[];
  readonly client: Client | undefined;
}

const PEER_PORT = 40_000;

const CASES: Record<string, Case> = {
  "nobody on a Unix socket without a header": { client: undefined },
  "the peer on TCP": { peer: "192.0.2.9", client: { address: "192.0.2.9", port: PEER_PORT } },
  "the peer on TCP, whatever it claims": {
    peer: "192.0.2.9",
    xff: "203.0.113.7",
    forwarded: "for=203.0.113.7",
    client: { address: "192.0.2.9", port: PEER_PORT },
  },
  "whom X-Forwarded-For names on a Unix socket": {
    xff: "203.0.113.7",
    client: { address: "203.0.113.7" },
  },
  "whom Forwarded names on a Unix socket": {
    forwarded: "for=203.0.113.7;proto=https;by=10.0.0.1",
    client: { address: "203.0.113.7" },
  },
  "X-Forwarded-For before Forwarded, which nginx passes on as it came": {
    xff: "203.0.113.7",
    forwarded: "for=6.6.6.6",
    client: { address: "203.0.113.7" },
  },
  "the rightmost hop, which our proxy wrote": {
    xff: "6.6.6.6, 203.0.113.7",
    client: { address: "203.0.113.7" },
  },
  "the first hop from the right that is no trusted proxy": {
    xff: "6.6.6.6, 203.0.113.7, 10.1.2.3, 10.0.0.1",
    trusted: ["unix", "10.0.0.0/8"],
    client: { address: "203.0.113.7" },
  },
  "the leftmost hop when every one is trusted": {
    xff: "10.3.3.3, 10.0.0.1",
    trusted: ["unix", "10.0.0.0/8"],
    client: { address: "10.3.3.3" },
  },
  "a listed TCP proxy's word": {
    peer: "10.0.0.1",
    xff: "203.0.113.7",
    trusted: ["10.0.0.1"],
    client: { address: "203.0.113.7" },
  },
  "a listed proxy's word that comes over a dual-stack socket": {
    peer: "::ffff:10.0.0.1",
    xff: "203.0.113.7",
    trusted: ["10.0.0.0/8"],
    client: { address: "203.0.113.7" },
  },
  "a listed IPv6 proxy's word": {
    peer: "fd00::1",
    xff: "2001:db8::7",
    trusted: ["fd00::/8"],
    client: { address: "2001:db8::7" },
  },
  "nobody on a Unix socket that is not trusted": {
    xff: "203.0.113.7",
    trusted: [],
    client: undefined,
  },
  "the peer that is not in the listed range": {
    peer: "10.0.1.1",
    xff: "203.0.113.7",
    trusted: ["10.0.0.0/24"],
    client: { address: "10.0.1.1", port: PEER_PORT },
  },
  "an IPv4 hop with its port": {
    xff: "203.0.113.7:4711",
    client: { address: "203.0.113.7", port: 4711 },
  },
  "an IPv4 hop whose port is none": {
    xff: "203.0.113.7:65536",
    client: { address: "203.0.113.7" },
  },
  "a bare IPv6 hop": { xff: "2001:db8::7", client: { address: "2001:db8::7" } },
  "an IPv6 hop in brackets": { xff: "[2001:db8::7]", client: { address: "2001:db8::7" } },
  "an IPv6 hop with its port, quoted": {
    forwarded: 'For="[2001:db8::7]:4711"',
    client: { address: "2001:db8::7", port: 4711 },
  },
  "the last element of Forwarded": {
    forwarded: "for=6.6.6.6, for=203.0.113.7;by=10.0.0.1",
    client: { address: "203.0.113.7" },
  },
  "nobody when the proxy does not know": { forwarded: "for=unknown", client: undefined },
  "nobody when the proxy hides the client": { forwarded: "for=_hidden", client: undefined },
  "nobody when the hop is no address": { xff: "evil.example", client: undefined },
  "the last hop before one that is no address": {
    xff: "nonsense, 10.0.0.2",
    trusted: ["unix", "10.0.0.0/8"],
    client: { address: "10.0.0.2" },
  },
  "nobody when the header is empty": { xff: "", client: undefined },
  "nobody behind a trailing comma": { xff: "203.0.113.7,", client: undefined },
  "hops without spaces and with many": {
    xff: "6.6.6.6,\t 203.0.113.7 ",
    client: { address: "203.0.113.7" },
  },
};

describe("findClient", () => {
  for (const [what, { xff, forwarded, peer, trusted = ["unix"], client }] of Object.entries(
    CASES,
  )) {
    it(`finds ${what}`, () => {
      const found = findClient({
        headers: { forwardedFor: xff, forwarded },
        peer: peer === undefined ? {} : { remoteAddress: peer, remotePort: PEER_PORT },
        trusted: createTrustedProxies(trusted),
      });
      assert.deepEqual(found, client);
    });
  }
});

describe("createTrustedProxies", () => {
  it("trusts single addresses and ranges of both families", () => {
    const proxies = createTrustedProxies(["192.0.2.1", "10.0.0.0/8", "::1", "fd00::/8"]);
    const verdicts = [
      "192.0.2.1",
      "10.9.9.9",
      "::1",
      "fd12::1",
      "192.0.2.2",
      "11.0.0.1",
      "fe80::1",
    ];
    assert.deepEqual(
      verdicts.map((remoteAddress) => proxies.isTrusted({ remoteAddress })),
      [true, true, true, true, false, false, false],
    );
  });

  it("trusts a peer without an address only where unix is listed", () => {
    assert.equal(createTrustedProxies(["unix"]).isTrusted({}), true);
    assert.equal(createTrustedProxies(["0.0.0.0/0", "::/0"]).isTrusted({}), false);
  });

  it("does not trust what is no address", () => {
    const proxies = createTrustedProxies(["unix", "0.0.0.0/0", "::/0"]);
    assert.equal(proxies.isTrusted({ remoteAddress: "unix" }), false);
    assert.equal(proxies.isTrusted({ remoteAddress: "" }), false);
  });
});

describe("findScheme", () => {
  interface SchemeCase extends Partial<ForwardedHeaders> {
    readonly peer?: string;
    readonly scheme: Scheme | undefined;
  }
  const cases: Record<string, SchemeCase> = {
    "says nothing without a header": { scheme: undefined },
    "is X-Forwarded-Proto": {
      forwardedFor: "203.0.113.7",
      forwardedProto: "https",
      scheme: "https",
    },
    "is X-Forwarded-Proto alone": { forwardedProto: "HTTPS", scheme: "https" },
    "is that of a WebSocket": { forwardedProto: "wss", scheme: "https" },
    "is nothing that is no scheme": { forwardedProto: "gopher", scheme: undefined },
    "is not believed of a stranger": {
      peer: "192.0.2.9",
      forwardedProto: "https",
      scheme: undefined,
    },
    "is what our own proxy wrote last": {
      forwardedFor: "203.0.113.7",
      forwardedProto: "https, http",
      scheme: "http",
    },
    "belongs to the hop that names the client": {
      forwardedFor: "6.6.6.6, 203.0.113.7, 10.0.0.1",
      forwardedProto: "http, https, http",
      scheme: "https",
    },
    "is that of Forwarded": { forwarded: 'for=203.0.113.7;proto="https"', scheme: "https" },
    "is that of the right element of Forwarded": {
      forwarded: "for=6.6.6.6;proto=http, for=203.0.113.7;proto=https, for=10.0.0.1;proto=http",
      scheme: "https",
    },
    "is not read from a Forwarded that nginx passes on as it came": {
      forwardedFor: "203.0.113.7",
      forwarded: "for=6.6.6.6;proto=https",
      scheme: undefined,
    },
    "is that of the last element where that names nobody": {
      forwarded: "for=6.6.6.6;proto=http, for=unknown;proto=https",
      scheme: "https",
    },
  };
  for (const [what, { peer, scheme, ...given }] of Object.entries(cases)) {
    it(what, () => {
      const headers = { forwardedFor: undefined, forwarded: undefined, ...given };
      const trusted = createTrustedProxies(["unix", "10.0.0.0/8"]);
      assert.equal(findScheme({ headers, peer: { remoteAddress: peer }, trusted }), scheme);
    });
  }
});

describe("findHost", () => {
  interface HostCase extends Partial<ForwardedHeaders> {
    readonly peer?: string;
    readonly own?: string;
    readonly host: string | undefined;
  }
  const cases: Record<string, HostCase> = {
    "is the Host of the request": { own: "a.test:81", host: "a.test:81" },
    "is unknown where nobody says it": { host: undefined },
    "is X-Forwarded-Host": { own: "a.test", forwardedHost: "b.test:444", host: "b.test:444" },
    "is an IPv6 address": { own: "a.test", forwardedHost: "[2001:db8::1]:1", host: "[2001:db8::1]:1" },
    "is nothing that is no host": { own: "a.test", forwardedHost: "b.test/path", host: "a.test" },
    "is not believed of a stranger": {
      peer: "192.0.2.9", own: "a.test", forwardedHost: "b.test", forwardedPort: "444", host: "a.test",
    },
    "is what our own proxy wrote last": {
      own: "a.test", forwardedFor: "203.0.113.7", forwardedHost: "evil.test, b.test", host: "b.test",
    },
    "belongs to the hop that names the client": {
      forwardedFor: "203.0.113.7, 10.0.0.1", forwardedHost: "b.test, c.test", host: "b.test",
    },
    "gets the port that is named": { own: "a.test", forwardedPort: "444", host: "a.test:444" },
    "keeps the port it has": { own: "a.test:81", forwardedPort: "444", host: "a.test:81" },
    "gets no port that is none": { own: "a.test", forwardedPort: "99999", host: "a.test" },
    "is that of Forwarded": { own: "a.test", forwarded: "for=203.0.113.7;host=b.test", host: "b.test" },
    "is not read from a Forwarded that nginx passes on as it came": {
      own: "a.test", forwardedFor: "203.0.113.7", forwarded: "for=6.6.6.6;host=evil.test", host: "a.test",
    },
  }; // prettier-ignore
  for (const [what, { peer, own, host, ...given }] of Object.entries(cases)) {
    it(what, () => {
      const headers = { forwardedFor: undefined, forwarded: undefined, ...given };
      const trusted = createTrustedProxies(["unix", "10.0.0.0/8"]);
      assert.equal(findHost({ headers, peer: { remoteAddress: peer }, trusted }, own), host);
    });
  }
});

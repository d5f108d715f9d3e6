import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readProxyHeader } from "../../src/http/proxy-header.ts";
import { proxyV2 } from "../helpers/proxy-header.ts";
import { forAll } from "../helpers/for-all.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const V1 = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n";
const TLV = Buffer.concat([Buffer.from([0xea, 0, 5]), Buffer.from("vpce1")]);

const ipv4 = { source: "203.0.113.7", destination: "192.0.2.1", sourcePort: 4711 };
const ipv6 = { source: "2001:db8::7", destination: "2001:db8::1", sourcePort: 65_535 };

const complete: readonly {
  readonly name: string;
  readonly header: Buffer;
  readonly source: { readonly address: string; readonly port: number } | undefined;
}[] = [
  { name: "version 1, IPv4", header: Buffer.from(V1), source: { address: "203.0.113.7", port: 4711 } },
  {
    name: "version 1, IPv6",
    header: Buffer.from("PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n"),
    source: { address: "2001:db8::7", port: 65_535 },
  },
  {
    name: "version 1 of the longest kind",
    header: Buffer.from(`PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`),
    source: { address: `${"ffff:".repeat(7)}ffff`, port: 65_535 },
  },
  { name: "version 1, UNKNOWN", header: Buffer.from("PROXY UNKNOWN\r\n"), source: undefined },
  {
    name: "version 1, UNKNOWN with anything behind it",
    header: Buffer.from("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"),
    source: undefined,
  },
  { name: "version 2, IPv4", header: proxyV2(ipv4), source: { address: "203.0.113.7", port: 4711 } },
  { name: "version 2, IPv6", header: proxyV2(ipv6), source: { address: "2001:db8::7", port: 65_535 } },
  {
    name: "version 2 with more behind the addresses",
    header: proxyV2({ ...ipv4, more: TLV }),
    source: { address: "203.0.113.7", port: 4711 },
  },
  { name: "version 2, LOCAL", header: proxyV2({ command: 0 }), source: undefined },
  { name: "version 2, LOCAL with addresses", header: proxyV2({ ...ipv4, command: 0 }), source: undefined },
  { name: "version 2, a Unix socket", header: proxyV2({ family: 0x31, more: Buffer.alloc(216) }), source: undefined },
  { name: "version 2, unspecified", header: proxyV2({ family: 0 }), source: undefined },
]; // prettier-ignore

describe("readProxyHeader", () => {
  for (const { name, header, source } of complete) {
    it(`reads ${name}`, () =>
      assert.deepEqual(readProxyHeader(header), {
        state: "complete",
        length: header.length,
        source,
      }));

    it(`reads ${name}, however it is cut, and not what follows`, () => {
      const bytes = Buffer.concat([header, Buffer.from(REQUEST)]);
      for (let cut = 0; cut < header.length; cut += 1)
        assert.deepEqual(readProxyHeader(bytes.subarray(0, cut)), { state: "partial" }, `${cut}`);
      for (let cut = header.length; cut <= bytes.length; cut += 1)
        assert.deepEqual(
          readProxyHeader(bytes.subarray(0, cut)),
          { state: "complete", length: header.length, source },
          `${cut}`,
        );
    });
  }

  for (const [text, reason] of [
    ["PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n", /two addresses and two ports/],
    ["PROXY TCP4 203.0.113.7 192.0.2.1 4711 80 9\r\n", /two addresses and two ports/],
    ["PROXY TCP4 2001:db8::7 192.0.2.1 4711 80\r\n", /two addresses and two ports/],
    ["PROXY TCP6 203.0.113.7 192.0.2.1 4711 80\r\n", /two addresses and two ports/],
    ["PROXY TCP4 203.0.113.7 192.0.2.1 65536 80\r\n", /two addresses and two ports/],
    ["PROXY TCP4 203.0.113.7 192.0.2.1 04711 80\r\n", /two addresses and two ports/],
    ["PROXY TCP4 203.0.113.7  192.0.2.1 4711 80\r\n", /two addresses and two ports/],
    ["PROXY UDP4 203.0.113.7 192.0.2.1 4711 80\r\n", /unknown protocol/],
    ["PROXY \r\n", /unknown protocol/],
    [`PROXY UNKNOWN ${"x".repeat(107)}\r\n`, /no end of line within 107 bytes/],
    ["PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\n".padEnd(107), /no end of line/],
  ] as const) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
      const header = readProxyHeader(Buffer.from(text));
      assert.equal(header.state, "malformed");
      assert.match(header.reason, reason);
    });
  }

  for (const [name, header, reason] of [
    ["of another version", proxyV2({ version: 3 }), /version 3, expected 2/],
    ["with an unknown command", proxyV2({ command: 2 }), /unknown command 2/],
    ["too short for its addresses", proxyV2({ family: 0x21, more: Buffer.alloc(35) }), /too short/],
    ["that is longer than 4 KiB", proxyV2({ ...ipv4, more: Buffer.alloc(4_096) }), /at most 4096/],
  ] as const) {
    it(`refuses version 2 ${name}`, () => {
      const read = readProxyHeader(header);
      assert.equal(read.state, "malformed");
      assert.match(read.reason, reason);
    });
  }

  for (const text of [REQUEST, "PROX /", "proxy TCP4 ", "\r\n\r\n\0\r\nQUIt\n", "\r\nGET /", "\x16\x03\x01"])
    it(`finds none in ${JSON.stringify(text.slice(0, 20))}`, () =>
      assert.deepEqual(readProxyHeader(Buffer.from(text, "latin1")), { state: "absent" }));

  it("comes to an end with any bytes", () =>
    forAll({
      draw: ({ below, list, pick }) =>
        Buffer.concat([
          pick([Buffer.alloc(0), proxyV2(ipv4), proxyV2({ command: 0 }), Buffer.from(V1)]).subarray(0, below(40)),
          Buffer.from(list(below(200), () => below(256))),
        ]),
      check: (bytes) => {
        const header = readProxyHeader(bytes);
        if (header.state === "complete") assert.ok(header.length <= bytes.length);
        if (header.state === "partial") assert.ok(bytes.length < 4_096);
      },
    }));
}); // prettier-ignore

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTrustedProxies } from "../../src/app/forwarded.ts";
import { formatMode, formatTrustedProxies, parseCloseCode, parseMode, parseTrustedProxies } from "../../src/config/values.ts"; // prettier-ignore
import { forAll } from "../helpers/for-all.ts";
import { valueOf } from "../helpers/value-of.ts";

describe("parseMode", () => {
  it("reads what formatMode writes", () => {
    for (let mode = 0; mode < 0o1000; mode += 1) assert.equal(parseMode(formatMode(mode)), mode);
  });
});

describe("parseCloseCode", () => {
  it("reads the two codes that tell a client to come back, and off", () => {
    assert.deepEqual(["1012", "1001", "off"].map(parseCloseCode), [1012, 1001, "off"]);
  });

  it("refuses any other", () => {
    for (const text of ["1000", "1006", "", "on", "1012 "]) {
      assert.throws(() => parseCloseCode(text), {
        message: `Cannot use ${JSON.stringify(text)}: expected 1012 (service restart), 1001 (going away) or off`,
      });
    }
  });
});

describe("parseTrustedProxies", () => {
  const PIECES = [
    "unix", "none", ",", ", ", "/", "/0", "/8", "/32", "/33", "/128", "/129", "/08", "10.0.0.1", "10.0.0.0/8", "::1", "::", "fd00::/8",
    "fe80::1%eth0", "::ffff:10.0.0.1", "256.1.1.1", "-1", " ", "x",
  ] as const; // prettier-ignore

  it("refuses a list, or reads one that is written the same way again and can be compiled", () =>
    forAll({
      cases: 10_000,
      draw: ({ list, below, pick }) =>
        list(below(3), () => list(below(5), () => pick(PIECES)).join("")),
      check(texts) {
        const peers = valueOf(() => parseTrustedProxies(texts));
        if (peers === undefined) return;
        assert.deepEqual(parseTrustedProxies(formatTrustedProxies(peers)), peers);
        const trusted = createTrustedProxies(peers);
        assert.equal(trusted.isTrusted({}), peers.includes("unix"));
        for (const peer of peers.filter((one) => one !== "unix")) {
          const [remoteAddress = ""] = peer.split("/");
          assert.ok(trusted.isTrusted({ remoteAddress }), `${peer} holds itself`);
        }
      },
    }));
});

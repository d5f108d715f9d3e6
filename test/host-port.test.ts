import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatHostPort } from "../src/host-port.ts";

describe("formatHostPort", () => {
  it("puts IPv6 into brackets", () => {
    assert.equal(formatHostPort({ host: "127.0.0.1", port: 80 }), "127.0.0.1:80");
    assert.equal(formatHostPort({ host: "::1", port: 80 }), "[::1]:80");
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, it } from "node:test";
import type { TcpEndpoint } from "../../src/config/config.ts";
import type { FilelessListener } from "../../src/listener/fileless.ts";
import { claimTcp } from "../../src/listener/tcp.ts";
import { tcpEndpoint } from "../helpers/endpoints.ts";
import { freePort } from "../helpers/nginx.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { serve, talkTo, testListener } from "./listener-suite.ts";

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);
const needsIpv6 = { skip: !hasIpv6 && "no IPv6 on this machine" };

async function claim(scope: Scope, host: string, port = 0): Promise<FilelessListener<TcpEndpoint>> {
  const listener = await claimTcp(tcpEndpoint(host, port));
  onEnd(scope, () => listener.close());
  return listener;
}

describe("claimTcp on IPv4", () => {
  testListener(async (scope) => {
    const port = await freePort();
    return { address: `127.0.0.1:${port}`, claim: () => claim(scope, "127.0.0.1", port) };
  });
});

describe("claimTcp on IPv6", needsIpv6, () => {
  testListener(async (scope) => {
    const port = await freePort();
    return { address: `[::1]:${port}`, claim: () => claim(scope, "::1", port) };
  });
});

describe("claimTcp", () => {
  it("reports the port the system chose where 0 was asked for", async (t) => {
    const listener = await claim(t, "127.0.0.1");
    const { port } = listener.endpoint;
    assert.ok(port > 0);
    assert.equal(listener.address, `127.0.0.1:${port}`);
    assert.deepEqual(listener.connectTarget, { host: "127.0.0.1", port });
    await serve(t, listener);
    assert.equal(await talkTo(listener, { host: "127.0.0.1", port }), "hello");
  });

  it("chooses a port of its own for each", async (t) => {
    const ports = [await claim(t, "127.0.0.1"), await claim(t, "127.0.0.1")].map(
      ({ endpoint }) => endpoint.port,
    );
    assert.notEqual(ports[0], ports[1]);
  });

  it("serves both families on ::", needsIpv6, async (t) => {
    const listener = await claim(t, "::");
    const { port } = listener.endpoint;
    await serve(t, listener);
    assert.equal(listener.address, `[::]:${port}`);
    assert.equal(await talkTo(listener), "hello");
    assert.equal(await talkTo(listener, { host: "127.0.0.1", port }), "hello");
    assert.equal(await talkTo(listener, { host: "::1", port }), "hello");
  });

  it("serves IPv4 alone on 0.0.0.0 and is reached through loopback", async (t) => {
    const listener = await claim(t, "0.0.0.0");
    const { port } = listener.endpoint;
    await serve(t, listener);
    assert.deepEqual(listener.connectTarget, { host: "127.0.0.1", port });
    assert.equal(await talkTo(listener), "hello");
    assert.equal(await talkTo(listener, { host: "::1", port }), "ECONNREFUSED");
  });

  it("looks a host name up", async (t) => {
    const listener = await claim(t, "localhost");
    assert.match(listener.endpoint.host, /^(?:127\.0\.0\.1|::1)$/);
  });

  it("is not told apart by a name in the kernel's table", async (t) => {
    assert.equal((await claim(t, "127.0.0.1")).kernelName, undefined);
  });

  it("refuses a busy port and leaves its owner alone", async (t) => {
    const owner = createServer().listen(0, "127.0.0.1");
    await once(owner, "listening");
    onEnd(t, () => owner.close());
    const address = owner.address();
    assert.ok(typeof address === "object" && address !== null);
    await assert.rejects(claim(t, "127.0.0.1", address.port), {
      code: "ERR_LISTEN",
      message: `Cannot listen on 127.0.0.1:${address.port}: the address is already in use; stop the process that holds it, or choose another port`,
    });
    assert.ok(owner.listening);
  });

  it("refuses a host nobody knows", { timeout: 30_000 }, async (t) => {
    await assert.rejects(
      claim(t, "no-such-host.invalid", 8080),
      /^OutriggerError: Cannot listen on no-such-host\.invalid:8080: host "no-such-host\.invalid" has no address \(\w+\); give a numeric one$/,
    );
  });

  it("refuses an address of no interface", async (t) => {
    await assert.rejects(
      claim(t, "192.0.2.1", 8080),
      /Cannot listen on 192\.0\.2\.1:8080: no interface of this machine has that address; use 0\.0\.0\.0 or \[::\]/,
    );
  });
});

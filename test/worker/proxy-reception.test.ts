import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { receiveProxyHeader, type ReceptionOptions } from "../../src/worker/proxy-reception.ts";
import type { ProxySource } from "../../src/http/proxy-header.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { proxyV2 } from "../helpers/proxy-header.ts";
import { onEnd } from "../helpers/scope.ts";

const DEADLINE_MS = 10_000;
const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const V1 = Buffer.from("PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n");
const V2 = proxyV2({ source: "2001:db8::7", destination: "2001:db8::1", sourcePort: 9 });
const CHECK = "/check/secret";
const DEFAULTS = { mode: "require", isTrusted: true, checkTarget: CHECK, withinMs: 0 } as const;

type Outcome =
  | { readonly name: "served"; readonly source: ProxySource | undefined; readonly rest: string }
  | { readonly name: "refused"; readonly reason: string };

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Two ends of a connection. */
async function connected(t: TestContext): Promise<Pair> {
  const listener = createServer({ allowHalfOpen: true });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, "connection");
  const client = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  client.on("error", () => {});
  const [server] = (await accepted) as [Socket];
  onEnd(t, async () => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { client, server };
}

/** What becomes of the connection; what is left of it to read is read until it holds a whole request. */
async function receive(server: Socket, options: Partial<ReceptionOptions> = {}): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  receiveProxyHeader(server, {
    ...DEFAULTS,
    onServe: (source) => {
      let rest = "";
      server.setEncoding("latin1").on("data", (text: string) => {
        rest += text;
        if (rest.endsWith("\r\n\r\n")) resolve({ name: "served", source, rest });
      });
    },
    onRefused: (reason) => resolve({ name: "refused", reason }),
    ...options,
  });
  return await within(DEADLINE_MS, promise, "the header to be received");
}

describe("receiveProxyHeader", () => {
  for (const [name, header, source] of [
    ["1", V1, { address: "203.0.113.7", port: 4711 }],
    ["2", V2, { address: "2001:db8::7", port: 9 }],
  ] as const) {
    it(`takes version ${name} off, wherever the connection is cut in two`, async (t) => {
      const bytes = Buffer.concat([header, Buffer.from(REQUEST)]);
      for (let cut = 1; cut < bytes.length; cut += 1) {
        const { client, server } = await connected(t);
        const outcome = receive(server);
        client.write(bytes.subarray(0, cut));
        const hasCome = (): true | undefined => server.bytesRead >= cut || undefined;
        await eventually(DEADLINE_MS, hasCome, `${cut} bytes`);
        client.write(bytes.subarray(cut));
        assert.deepEqual(await outcome, { name: "served", source, rest: REQUEST }, `${cut}`);
        client.destroy();
      }
    });
  }

  for (const [what, options, sent, expected] of [
    ["serves without one where it is optional", { mode: "optional" }, REQUEST, { name: "served", source: undefined, rest: REQUEST }],
    ["refuses to go without one where it is required", {}, REQUEST, { name: "refused", reason: "it begins with something else" }],
    ["lets our own check in without one", {}, `GET ${CHECK} HTTP/1.1\r\n\r\n`, { name: "served", source: undefined, rest: `GET ${CHECK} HTTP/1.1\r\n\r\n` }],
    ["refuses that of somebody who is not trusted", { isTrusted: false }, V1, { name: "refused", reason: "its sender is not a trusted proxy" }],
    ["refuses that of somebody who is not trusted, where it is optional", { isTrusted: false, mode: "optional" }, V1, { name: "refused", reason: "its sender is not a trusted proxy" }],
    ["refuses one that cannot be read", { mode: "optional" }, "PROXY SCTP\r\n", { name: "refused", reason: 'unknown protocol in "PROXY SCTP"' }],
  ] as const satisfies readonly (readonly [string, Partial<ReceptionOptions>, string | Buffer, Outcome])[]) {
    it(what, async (t) => {
      const { client, server } = await connected(t);
      client.write(sent);
      assert.deepEqual(await receive(server, options), expected);
    });
  } // prettier-ignore

  it("gives up on one that does not come in time", async (t) => {
    const { client, server } = await connected(t);
    const outcome = await receive(server, { withinMs: 50 });
    assert.deepEqual(outcome, { name: "refused", reason: "no header came in time" });
    await once(client.resume(), "end");
  });

  it("gives up on one whose end does not come in time", async (t) => {
    const { client, server } = await connected(t);
    client.write("PROXY TCP4");
    const outcome = await receive(server, { withinMs: 50, mode: "optional" });
    assert.deepEqual(outcome, { name: "refused", reason: "no header came in time" });
  });

  it("refuses one that ends before its end", async (t) => {
    const { client, server } = await connected(t);
    client.end("PROXY TCP4");
    const outcome = await receive(server);
    assert.deepEqual(outcome, {
      name: "refused",
      reason: "the connection ended within the header",
    });
  });

  for (const end of ["end", "resetAndDestroy"] as const)
    it(`says nothing of a connection that says nothing (${end})`, async (t) => {
      const { client, server } = await connected(t);
      const closed = once(server, "close");
      receiveProxyHeader(server, {
        ...DEFAULTS,
        onServe: () => assert.fail("served"),
        onRefused: (reason) => assert.fail(reason),
      });
      client.resume()[end]();
      await within(
        DEADLINE_MS,
        closed.catch(() => {}),
        "the connection to close",
      );
    });
});

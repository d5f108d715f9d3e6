import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { serveCode, type ServingFile } from "../helpers/app-file.ts";
import { eventually } from "../helpers/deadline.ts";
import { startHaproxy } from "../helpers/haproxy.ts";
import { request } from "../helpers/http.ts";
import { logged } from "../helpers/log-count.ts";
import { needs } from "../helpers/needs.ts";
import { portOf } from "../helpers/program.ts";
import { proxyV2 } from "../helpers/proxy-header.ts";
import { RawClient } from "../helpers/raw-client.ts";
import type { Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
/** Where an app looks, and what we tell it. */
const APP = `
import { getContext } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
export default (req, res) => {
  const { remoteAddress, remotePort, remoteFamily } = req.socket;
  res.end(JSON.stringify({ remoteAddress, remotePort, remoteFamily, client: getContext(req).client }));
};
`;
/** TEST-NET-3: nobody's real address. */
const CLAIMED = "203.0.113.7";
const V1 = `PROXY TCP4 ${CLAIMED} 192.0.2.1 4711 80\r\n`;
const AS_CLAIMED = {
  remoteAddress: CLAIMED,
  remotePort: 4711,
  remoteFamily: "IPv4",
  client: { address: CLAIMED, port: 4711 },
};

function ask(headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET / HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`;
}

interface Place {
  readonly serving: ServingFile;
  readonly path: string;
}

async function serveOnUnix(t: Scope, mode: string, ...args: readonly string[]): Promise<Place> {
  const path = join(await tempDir(t), "app.sock");
  const listen = ["--listen", `${path}?proxy-protocol=${mode}`];
  return { serving: await serveCode(t, APP, { args: [...listen, ...args] }), path };
}

/** What the app saw of the requests on one connection. */
async function seen(t: Scope, path: string, ...requests: readonly string[]): Promise<unknown[]> {
  const client = await RawClient.open(t, { path });
  const answers: unknown[] = [];
  for (const [index, text] of requests.entries()) {
    client.send(text);
    const received = await client.until(new RegExp(`(?:HTTP/1.1 200[^]*?){${index + 1}}\\}$`));
    answers.push(JSON.parse(received.slice(received.lastIndexOf("\r\n\r\n"))));
  }
  await client.close();
  return answers;
}

async function refused({ serving }: Place): Promise<number> {
  return await serving.sum("outrigger_endpoint_connections_rejected_total", {
    reason: "proxy_protocol",
  });
}

/** Sends this, and resolves when the connection was closed with nothing answered and counted. */
async function isRefused(t: Scope, place: Place, sent: string): Promise<void> {
  const before = await refused(place);
  const client = await RawClient.open(t, { path: place.path });
  client.send(sent);
  assert.equal(await client.ended(), "");
  const isCounted = async (): Promise<true | undefined> =>
    (await refused(place)) === before + 1 || undefined;
  await eventually(DEADLINE_MS, isCounted, "the refusal to be counted");
}

describe("an endpoint with proxy-protocol=require", () => {
  it("makes the client of both versions the peer, for all requests of the connection", async (t) => {
    const { path } = await serveOnUnix(t, "require");
    const v2 = proxyV2({ source: "2001:db8::7", destination: "2001:db8::1", sourcePort: 9 });
    assert.deepEqual(await seen(t, path, V1 + ask(), ask()), [AS_CLAIMED, AS_CLAIMED]);
    assert.deepEqual(await seen(t, path, v2.toString("latin1") + ask()), [
      {
        remoteAddress: "2001:db8::7",
        remotePort: 9,
        remoteFamily: "IPv6",
        client: { address: "2001:db8::7", port: 9 },
      },
    ]);
  });

  it("keeps the peer where the proxy speaks for itself", async (t) => {
    const { path } = await serveOnUnix(t, "require");
    const local = proxyV2({ command: 0 }).toString("latin1");
    assert.deepEqual(await seen(t, path, local + ask()), [{}]);
    assert.deepEqual(await seen(t, path, `PROXY UNKNOWN\r\n${ask()}`), [{}]);
  });

  it("closes what comes without one, counts it, and says why only to who debugs", async (t) => {
    const place = await serveOnUnix(t, "require", "--log-level", "debug");
    await isRefused(t, place, ask());
    await isRefused(t, place, "PROXY TCP4 nonsense\r\n");
    const { program } = place.serving;
    await logged(program, "PROXY header refused", 2);
    const lines = program.lines.filter(({ msg }) => msg === "PROXY header refused");
    assert.deepEqual(
      lines.map(({ level, endpoint }) => [level, endpoint]),
      [
        [20, "app"],
        [20, "app"],
      ],
    );
  });

  it("closes what says nothing for too long", async (t) => {
    const place = await serveOnUnix(t, "require", "--headers-timeout", "200ms");
    await isRefused(t, place, "");
    await isRefused(t, place, "PROXY TC");
  });

  it("takes a knock for no mistake", async (t) => {
    const place = await serveOnUnix(t, "require");
    for (const knock of ["end", "destroy"] as const) {
      const client = await RawClient.open(t, { path: place.path });
      client.socket[knock]();
      await client.closed();
    }
    assert.equal(await refused(place), 0);
    const open = async (): Promise<true | undefined> =>
      (await place.serving.sum("outrigger_endpoint_connections")) === 0 || undefined;
    await eventually(DEADLINE_MS, open, "no connection to be left");
  });

  it("believes forwarded headers of a named client only if that one is trusted", async (t) => {
    const forged = ask({ "x-forwarded-for": "198.51.100.1" });
    const { path } = await serveOnUnix(t, "require");
    assert.deepEqual(await seen(t, path, V1 + forged), [AS_CLAIMED]);
    const trusting = await serveOnUnix(t, "require", "--trusted-proxies", `unix,${CLAIMED}`);
    assert.deepEqual(await seen(t, trusting.path, V1 + forged), [
      {
        remoteAddress: "198.51.100.1",
        remoteFamily: "IPv4",
        client: { address: "198.51.100.1" },
      },
    ]);
  });

  it("names the client in the access log", async (t) => {
    const { serving, path } = await serveOnUnix(t, "require", "--access-log", "json");
    await seen(t, path, V1 + ask());
    const { client } = await serving.program.line("request");
    assert.equal(client, CLAIMED);
  });

  it("reloads and drains like any other", async (t) => {
    const { serving, path } = await serveOnUnix(t, "require");
    serving.program.signal("SIGHUP");
    await serving.program.line("reload done");
    assert.deepEqual(await seen(t, path, V1 + ask()), [AS_CLAIMED]);
    serving.program.signal("SIGTERM");
    assert.deepEqual(await serving.program.exit(), { code: 0, signal: null });
  });

  it("does not hold up a drain for a client that has only been announced", async (t) => {
    const { serving, path } = await serveOnUnix(t, "require");
    const client = await RawClient.open(t, { path });
    client.send(V1);
    const open = async (): Promise<true | undefined> =>
      (await serving.sum("outrigger_endpoint_connections")) === 1 || undefined;
    await eventually(DEADLINE_MS, open, "the connection");
    serving.program.signal("SIGTERM");
    assert.deepEqual(await serving.program.exit(), { code: 0, signal: null });
    assert.equal(
      serving.program.lines.filter(({ msg }) => msg === "open connections cut").length,
      0,
    );
  });

  it("understands curl", needs("curl"), async (t) => {
    const { path } = await serveOnUnix(t, "require");
    const args = ["-sS", "--haproxy-protocol", "--unix-socket", path, "http://x/"];
    const { stdout } = await promisify(execFile)("curl", args, { timeout: DEADLINE_MS });
    // curl names no address on a Unix socket.
    assert.deepEqual(JSON.parse(stdout), {});
  });

  for (const option of ["send-proxy", "send-proxy-v2"])
    it(`understands HAProxy with ${option}`, needs("haproxy"), async (t) => {
      const { path } = await serveOnUnix(t, "require");
      const dir = await tempDir(t);
      const port = await startHaproxy(t, { dir, mode: "tcp", server: `unix@${path} ${option}` });
      const told = (await request({ port })).json() as { readonly remoteAddress?: string };
      assert.equal(told.remoteAddress, "127.0.0.1");
    });
});

describe("an endpoint with proxy-protocol=optional", () => {
  it("serves with one and without", async (t) => {
    const { path } = await serveOnUnix(t, "optional");
    assert.deepEqual(await seen(t, path, V1 + ask()), [AS_CLAIMED]);
    assert.deepEqual(await seen(t, path, ask(), ask()), [{}, {}]);
  });

  it("believes no TCP peer that is not listed", async (t) => {
    const args = ["--listen", "127.0.0.1:0?proxy-protocol=optional"];
    const trusted = ["--trusted-proxies", "unix,192.0.2.0/24"];
    const { program } = await serveCode(t, APP, { args: [...args, ...trusted] });
    const port = portOf(await program.address());
    const client = await RawClient.open(t, { port, host: "127.0.0.1" });
    client.send(V1 + ask());
    assert.equal(await client.ended(), "");
    const told = (await request({ port })).json() as { readonly remoteAddress?: string };
    assert.equal(told.remoteAddress, "127.0.0.1");
  });
});

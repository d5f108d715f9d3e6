import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { request } from "../helpers/http.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx } from "../helpers/nginx.ts";
import { portOf } from "../helpers/program.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** TEST-NET-3: nobody's real address. */
const CLAIMED = "203.0.113.7";
const LOOPBACK = "127.0.0.1";

interface Context {
  readonly endpoint: string;
  readonly requestId: string;
  readonly server: { readonly path?: string; readonly host?: string; readonly port?: number };
  readonly client?: { readonly address: string; readonly port?: number };
}

type Target = { readonly socketPath: string } | { readonly port: number };

async function whoami(target: Target, headers: Record<string, string> = {}): Promise<Context> {
  return (await request({ ...target, path: "/whoami", headers })).json() as Context;
}

async function tcpTarget({ program }: Serving, endpoint?: string): Promise<{ port: number }> {
  return { port: portOf(await program.address(endpoint)) };
}

const APPS = { "(req, res)": "hello.mjs", "{ fetch }": "fetch.mjs" };
const TCP = ["--listen", `${LOOPBACK}:0`];

for (const [kind, app] of Object.entries(APPS)) {
  describe(`the context of a ${kind} app`, () => {
    it("names endpoint and path on a Unix socket, and no client", async (t) => {
      const { socketPath } = await serveApp(t, app);
      const { requestId, ...context } = await whoami({ socketPath });
      assert.equal(typeof requestId, "string");
      assert.deepEqual(context, {
        endpoint: "app",
        server: { path: socketPath },
        scheme: "http",
        host: "test",
      });
    });

    it("names endpoint, address and peer on TCP", async (t) => {
      const target = await tcpTarget(await serveApp(t, app, { args: TCP }));
      const { client, ...context } = await whoami(target);
      assert.equal(context.endpoint, "app");
      assert.deepEqual(context.server, { host: LOOPBACK, port: target.port });
      assert.equal(client?.address, LOOPBACK);
      assert.ok(client?.port !== undefined && client.port > 0 && client.port !== target.port);
    });

    it("tells two endpoints apart by their names", async (t) => {
      const socketPath = join(await tempDir(t), "front.sock");
      const serving = await serveApp(t, app, {
        args: ["--listen", `${LOOPBACK}:0?name=direct`, "--listen", `${socketPath}?name=front`],
      });
      const { port } = await tcpTarget(serving, "direct");
      assert.equal((await whoami({ socketPath })).endpoint, "front");
      assert.equal((await whoami({ port })).endpoint, "direct");
    });

    it("believes forwarded headers on a Unix socket", async (t) => {
      const { socketPath } = await serveApp(t, app);
      const { client } = await whoami({ socketPath }, { "x-forwarded-for": CLAIMED });
      assert.deepEqual(client, { address: CLAIMED });
    });

    it("believes nobody with --trusted-proxies none", async (t) => {
      const { socketPath } = await serveApp(t, app, { args: ["--trusted-proxies", "none"] });
      const { client } = await whoami({ socketPath }, { "x-forwarded-for": CLAIMED });
      assert.equal(client, undefined);
    });

    it("does not believe a TCP peer that is not listed", async (t) => {
      const target = await tcpTarget(await serveApp(t, app, { args: TCP }));
      const headers = { "x-forwarded-for": CLAIMED, forwarded: `for=${CLAIMED}` };
      assert.equal((await whoami(target, headers)).client?.address, LOOPBACK);
    });

    it("believes a TCP peer that is listed", async (t) => {
      const args = [...TCP, "--trusted-proxies", `unix,${LOOPBACK}/32`];
      const target = await tcpTarget(await serveApp(t, app, { args }));
      const viaForwardedFor = await whoami(target, { "x-forwarded-for": `6.6.6.6, ${CLAIMED}` });
      assert.deepEqual(viaForwardedFor.client, { address: CLAIMED });
      const viaForwarded = await whoami(target, { forwarded: `for="${CLAIMED}:4711";proto=https` });
      assert.deepEqual(viaForwarded.client, { address: CLAIMED, port: 4711 });
    });

    it(
      "names the client of a real nginx, whatever that client claims",
      needs("nginx"),
      async (t) => {
        const { dir, socketPath } = await serveApp(t, app);
        const { port } = await startNginx(t, { dir, socket: socketPath });
        assert.deepEqual((await whoami({ port })).client, { address: LOOPBACK });
        const spoofed = await whoami({ port }, { "x-forwarded-for": CLAIMED });
        assert.deepEqual(spoofed.client, { address: LOOPBACK });
      },
    );
  });
}

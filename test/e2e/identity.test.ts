import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { request } from "../helpers/http.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx } from "../helpers/nginx.ts";
import { portOf } from "../helpers/program.ts";
import { serveApp } from "../helpers/serving.ts";

/** TEST-NET-3: nobody's real address. */
const CLIENT = "203.0.113.7";
const PUBLIC_HOST = "shop.example";

const FRAMEWORKS = {
  Express: { app: "identity-express.mjs", settings: [false, true, "loopback"] },
  Koa: { app: "identity-koa.mjs", settings: [false, true] },
  Fastify: { app: "identity-fastify.mjs", settings: [false, true, "loopback"] },
};

for (const [name, { app, settings }] of Object.entries(FRAMEWORKS)) {
  describe(`who ${name} takes for the client`, () => {
    for (const trust of settings) {
      const env = { TRUST: JSON.stringify(trust) };

      it(
        `is whom nginx names over a Unix socket, with its trust setting ${env.TRUST}`,
        needs("nginx"),
        async (t) => {
          // Another proxy on this machine stands before nginx.
          const args = ["--trusted-proxies", "unix,127.0.0.0/8"];
          const { dir, socketPath } = await serveApp(t, app, { args, env });
          const { port } = await startNginx(t, {
            dir,
            socket: socketPath,
            scheme: "https",
            publicHost: PUBLIC_HOST,
          });
          const headers = { "x-forwarded-for": CLIENT };
          const seen = (await request({ port, headers })).json();
          // A framework that does not trust its peer looks at `Host`, as it does on TCP.
          const hostname = trust === true ? PUBLIC_HOST : "test";
          const expected = { ip: CLIENT, protocol: "https", hostname, remoteAddress: CLIENT };
          assert.deepEqual(seen, expected);
        },
      );
    }

    it("is the peer on TCP, whatever that one claims", async (t) => {
      const serving = await serveApp(t, app, { args: ["--listen", "127.0.0.1:0"] });
      const headers = {
        "x-forwarded-for": CLIENT,
        "x-forwarded-proto": "https",
        "x-forwarded-host": PUBLIC_HOST,
        "x-forwarded-port": "444",
        forwarded: `for=${CLIENT};proto=https;host=${PUBLIC_HOST}`,
      };
      const seen = await request({ port: portOf(await serving.program.address()), headers });
      assert.deepEqual(seen.json(), {
        ip: "127.0.0.1",
        protocol: "http",
        hostname: "test",
        remoteAddress: "127.0.0.1",
      });
    });
  });
}

describe("the URL of a { fetch } app", () => {
  const headers = {
    "x-forwarded-proto": "https",
    "x-forwarded-host": PUBLIC_HOST,
    "x-forwarded-port": "8443",
  };

  it("is the one that a trusted proxy names", async (t) => {
    const serving = await serveApp(t, "fetch.mjs");
    const named = await serving.request({ path: "/url?x", headers: { ...headers } });
    assert.equal(named.text(), "https://shop.example:8443/url?x");
    const forwarded = `for=${CLIENT};proto=https;host="shop.example:8443"`;
    const other = await serving.request({ path: "/url", headers: { forwarded } });
    assert.equal(other.text(), "https://shop.example:8443/url");
    const whoami = (await serving.request({ path: "/whoami", headers })).json();
    assert.partialDeepStrictEqual(whoami, { scheme: "https", host: "shop.example:8443" });
  });

  it("is not what an untrusted peer claims", async (t) => {
    const serving = await serveApp(t, "fetch.mjs", { args: ["--listen", "127.0.0.1:0"] });
    const port = portOf(await serving.program.address());
    assert.equal((await request({ port, path: "/url", headers })).text(), "http://test/url");
    const whoami = (await request({ port, path: "/whoami", headers })).json();
    assert.partialDeepStrictEqual(whoami, { scheme: "http", host: "test" });
  });

  it("is not what nginx's client claims", needs("nginx"), async (t) => {
    const { dir, socketPath } = await serveApp(t, "fetch.mjs");
    const { port } = await startNginx(t, { dir, socket: socketPath });
    const url = (await request({ port, path: "/url", headers })).text();
    assert.equal(url, "http://test/url");
  });
});

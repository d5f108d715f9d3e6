import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { request } from "../helpers/http.ts";
import type { LogLine } from "../helpers/log-lines.ts";
import { portOf } from "../helpers/program.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;
const OWN = /^[0-9a-f]{16}-[0-9a-z]+$/;

interface Known {
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly traceparent?: string;
}

/** What an app knows of a request that comes with these headers, and its line in the access log. */
async function ask(
  serving: Serving,
  headers: Record<string, string | string[]>,
): Promise<Known & { line: LogLine }> {
  const { program } = serving;
  const address = await program.address();
  const target = address.startsWith("/") ? { socketPath: address } : { port: portOf(address) };
  const known = (await request({ ...target, path: "/known", headers })).json() as Known;
  const line = await program.line((logged) => logged["request_id"] === known.requestId);
  return { ...known, line };
}

for (const app of ["known.mjs", "known-fetch.mjs"]) {
  describe(`the id of a request to ${app}`, () => {
    it("is what a trusted peer sent: in the context, the headers and the access log", async (t) => {
      const serving = await serveApp(t, app);
      const { requestId, headers } = await ask(serving, { "x-request-id": "edge:42/a_b.c" });
      assert.equal(requestId, "edge:42/a_b.c");
      assert.equal(headers["x-request-id"], requestId);
    });

    it("is made where none was sent, and another one for each", async (t) => {
      const serving = await serveApp(t, app);
      const [one, other] = [await ask(serving, {}), await ask(serving, {})];
      for (const { requestId, headers } of [one, other]) {
        assert.match(requestId, OWN);
        assert.equal(headers["x-request-id"], requestId);
      }
      assert.notEqual(one.requestId, other.requestId);
    });

    it("is made where what was sent is of no use", async (t) => {
      const serving = await serveApp(t, app);
      for (const sent of ["x".repeat(129), 'a"b', "a b", "\u00e9", ["one", "two"]]) {
        const { requestId, headers } = await ask(serving, { "x-request-id": sent });
        assert.match(requestId, OWN);
        assert.equal(headers["x-request-id"], requestId);
      }
    });

    it("is not what an untrusted peer claims", async (t) => {
      const serving = await serveApp(t, app, { args: ["--listen", "127.0.0.1:0"] });
      const { requestId, headers } = await ask(serving, { "x-request-id": "forged" });
      assert.match(requestId, OWN);
      assert.equal(headers["x-request-id"], requestId);
    });

    it("comes with the trace, which is passed on", async (t) => {
      const serving = await serveApp(t, app);
      const { line, ...known } = await ask(serving, { traceparent: TRACEPARENT });
      assert.equal(known.traceparent, TRACEPARENT);
      assert.equal(known.headers["traceparent"], TRACEPARENT);
      assert.deepEqual([line["trace_id"], line["span_id"]], [TRACE, SPAN]);
      const broken = await ask(serving, { traceparent: `${TRACEPARENT}-x` });
      assert.equal(broken.traceparent, undefined);
      assert.equal("trace_id" in broken.line, false);
    });
  });
}

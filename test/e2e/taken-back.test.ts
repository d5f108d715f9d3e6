import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { serveCode } from "../helpers/app-file.ts";
import { within } from "../helpers/deadline.ts";
import { openSession, get } from "../helpers/http2-client.ts";
import { FRAME, GET, headers, numberFrame, session, type Fields } from "../helpers/http2-frames.ts";
import { errorLines } from "../helpers/log-count.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const NO_ERROR = 0;
const CANCEL = 8;

const REQUESTS = "export default (req, res) => res.end('here');\n";
const STREAMS = `import http2 from "node:http2";
const server = http2.createServer();
server.on("stream", (stream) => {
  stream.respond({ ":status": 200 });
  stream.end("here");
});
server.listen(3000);
`;

const TUNNEL: Fields = [[":method", "CONNECT"], [":authority", "y:1"]]; // prettier-ignore
const MANY: Fields = [
  ...GET,
  ...Array.from({ length: 1_200 }, (_, index) => [`x-${index}`, "y"] as const),
];

/** Asks for something and resets the stream, in one packet. */
function takenBack(fields: Fields, code: number): string {
  const bytes = session(headers(1, { fields }), numberFrame(FRAME.RST_STREAM, 1, code));
  return bytes.toString("latin1");
}

describe("a stream that is reset in the packet that asks for it", () => {
  for (const [kind, app] of Object.entries({ requests: REQUESTS, streams: STREAMS })) {
    for (const code of [NO_ERROR, CANCEL]) {
      it(`costs an app of ${kind} nothing, with code ${code}`, async (t) => {
        const { socketPath, program, metrics } = await serveCode(t, app);
        for (const fields of [GET, TUNNEL, MANY]) {
          const client = await RawClient.open(t, { path: socketPath });
          client.send(takenBack(fields, code));
          // The settings of the server come first: it has read what was sent.
          await within(DEADLINE_MS, client.until(/^[^]{9}/), "settings");
          await client.close();
        }
        assert.equal((await get(openSession(t, socketPath), "/")).body.toString(), "here");
        assert.equal((await metrics()).sum("outrigger_endpoint_requests_in_flight"), 0);
        assert.deepEqual(errorLines(program), []);
      });
    }
  }

  it("costs a full endpoint nothing", async (t) => {
    const path = join(await tempDir(t), "full.sock");
    const { program, sum } = await serveCode(t, REQUESTS, {
      args: ["--listen", `${path}?max-connections=1`],
    });
    const first = openSession(t, path);
    assert.equal((await get(first, "/")).status, 200);
    for (const code of [NO_ERROR, CANCEL]) {
      const client = await RawClient.open(t, { path });
      client.send(takenBack(GET, code));
      await client.ended();
    }
    assert.equal((await get(first, "/")).status, 200);
    assert.equal(
      await sum("outrigger_endpoint_connections_rejected_total", { reason: "max_connections" }),
      2,
    );
    assert.deepEqual(errorLines(program), []);
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, it } from "node:test";
import { findListeners, listensOnPort } from "../../src/cli/port-holder.ts";
import { onEnd } from "../helpers/scope.ts";

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:24F8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0
   1: 00000000:24F8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0000000000000000 100 0 0 10 0
   2: 0100007F:24F8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:124F 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4714 1 0000000000000000 100 0 0 10 0
`;

describe("findListeners", () => {
  it("finds the sockets that listen on a port, on whatever address", () => {
    assert.deepEqual(findListeners(TABLE, 9464), ["socket:[4711]", "socket:[4712]"]);
    assert.deepEqual(findListeners(TABLE, 80), []);
    assert.deepEqual(findListeners("", 9464), []);
  });
});

describe("listensOnPort", () => {
  it("is true for the process that listens, not for one that is connected, nor for another", async (t) => {
    for (const host of ["127.0.0.1", "::1"]) {
      const server = createServer().listen(0, host);
      onEnd(t, () => server.close());
      await once(server, "listening");
      const address = server.address();
      assert.ok(typeof address === "object" && address !== null);
      const { port } = address;
      assert.equal(await listensOnPort(process.pid, port), true);
      assert.equal(await listensOnPort(process.ppid, port), false);
      const client = connect(port, host);
      onEnd(t, () => client.destroy());
      await once(client, "connect");
      server.close();
      assert.equal(await listensOnPort(process.pid, port), false);
    }
  });

  it("is false for a process that does not exist", async () => {
    assert.equal(await listensOnPort(2 ** 22 + 1, 80), false);
  });
});

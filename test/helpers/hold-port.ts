import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { onEnd, type Scope } from "./scope.ts";

/** Somebody who has a port. */
export interface PortHolder {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Takes a free port of loopback, which accepts and hangs up, until it is closed or the test ends. */
export async function holdPort(scope: Scope): Promise<PortHolder> {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  onEnd(scope, () => server.close());
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return {
    host: "127.0.0.1",
    port: address.port,
    async close() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

import { once } from "node:events";
import { connect, type NetConnectOpts } from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { within } from "./deadline.ts";
import { onEnd, type Scope } from "./scope.ts";

const DEADLINE_MS = 15_000;

/** A client whose last part of the TLS handshake is not sent yet. */
export interface HeldHandshake {
  /** Sends the end of the handshake and all that was said behind it, then resets the connection. */
  readonly sendAndReset: () => Promise<void>;
}

/** Begins a handshake, and says something behind its end. */
export async function holdHandshake(
  scope: Scope,
  target: NetConnectOpts,
  said: string,
): Promise<HeldHandshake> {
  const socket = connect(target);
  onEnd(scope, () => socket.destroy());
  socket.on("error", () => {});
  const held: Buffer[] = [];
  let isBegun = false;
  const between = new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      if (isBegun) held.push(bytes);
      else socket.write(bytes);
      isBegun = true;
      done();
    },
  });
  socket.on("data", (bytes: Buffer) => between.push(bytes));
  const secure = tls.connect({ socket: between, rejectUnauthorized: false });
  secure.on("error", () => {});
  onEnd(scope, () => secure.destroy());
  await within(DEADLINE_MS, once(secure, "secureConnect"), "the handshake");
  await new Promise((resolve) => secure.write(said, resolve));
  return {
    async sendAndReset() {
      await new Promise((resolve) => socket.write(Buffer.concat(held), resolve));
      const closed = once(socket, "close");
      // A Unix socket knows no reset: what is closed takes nothing, which is the same.
      if ("path" in target) socket.destroy();
      else socket.resetAndDestroy();
      await within(DEADLINE_MS, closed, "the end of the connection");
    },
  };
}

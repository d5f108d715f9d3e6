import type { IncomingMessage } from "node:http";
import type { Server } from "node:net";
import type { Duplex } from "node:stream";
import { answerAndHangUp } from "../http/hang-up.ts";
import type { Logger } from "../log/logger.ts";
import type { UpgradeHandler, UpgradeHook } from "./app.ts";
import { logFailure } from "./log-failure.ts";

const FAILED =
  "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/** Calls an app's upgrade hook; one that throws, or whose promise rejects, costs the connection and a log line. */
export function adaptUpgrade(hook: UpgradeHook, log: Logger): UpgradeHandler {
  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    await hook(request, socket, head);
  }
  return (request, socket, head) => {
    const { bytesWritten } = request.socket;
    upgrade(request, socket, head).catch((error: unknown) => {
      logFailure({ request, error, log }, "app failed an upgrade");
      if (socket.writableEnded) return;
      if (request.socket.bytesWritten === bytesWritten && socket.writable)
        answerAndHangUp(socket, FAILED);
      else socket.destroy();
    });
  };
}

/**
 * Passes upgrades, or requests of the method CONNECT, on to a server that an app attached its own
 * listeners to; undefined while it has none.
 */
export function adaptServerUpgrade(
  server: Server,
  event: "upgrade" | "connect" = "upgrade",
): UpgradeHook | undefined {
  if (server.listenerCount(event) === 0) return undefined;
  // Emitted, an upgrade would leave the promise of a listener that rejects to nobody.
  return (...upgrade) =>
    Promise.all(
      server
        .rawListeners(event)
        .map(async (listener): Promise<unknown> => Reflect.apply(listener, server, upgrade)),
    );
}

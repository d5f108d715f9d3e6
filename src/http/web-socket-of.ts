import type { Duplex } from "node:stream";

/** The part of a WebSocket that ends it. */
interface Closable {
  close(code: number): void;
}

/**
 * Finds the WebSocket of the package `ws` that has taken over a connection, ours or an app's own; undefined
 * for any other library. The package marks the connection with it, under a symbol of this name.
 */
export function webSocketOf(socket: Duplex): Closable | undefined {
  const mark = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === "websocket",
  );
  const found: unknown = mark === undefined ? undefined : Reflect.get(socket, mark);
  return isClosable(found) ? found : undefined;
}

function isClosable(value: unknown): value is Closable {
  return (
    typeof value === "object" &&
    value !== null &&
    "close" in value &&
    typeof value.close === "function"
  );
}

import type { Duplex } from "node:stream";

/** More than any head of a response that is sent in one piece. */
const LONGEST_HEAD = 16_384;
const METHODS = ["write", "end"] as const;

/**
 * Tells the beginning of the first that an app sends on a connection it has taken over, just before
 * it is sent. From then on nothing stands between the app and the connection.
 */
export function onFirstWrite(socket: Duplex, tell: (text: string) => void): void {
  const interceptions = METHODS.map((name) => {
    const original = socket[name];
    const wasOwn = Object.hasOwn(socket, name);
    const intercepted = (...args: readonly unknown[]): unknown => {
      seen(args[0]);
      return Reflect.apply(original, socket, args);
    };
    Reflect.set(socket, name, intercepted);
    return {
      end(): void {
        // Whatever was put over it since stays.
        if (socket[name] !== intercepted) return;
        if (wasOwn) Reflect.set(socket, name, original);
        else Reflect.deleteProperty(socket, name);
      },
    };
  });
  let isSeen = false;
  const seen = (chunk: unknown): void => {
    if (isSeen) return;
    isSeen = true;
    for (const interception of interceptions) interception.end();
    tell(readText(chunk));
  };
}

function readText(chunk: unknown): string {
  if (typeof chunk === "string") return chunk.slice(0, LONGEST_HEAD);
  if (!(chunk instanceof Uint8Array)) return "";
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString(
    "latin1",
    0,
    LONGEST_HEAD,
  );
}

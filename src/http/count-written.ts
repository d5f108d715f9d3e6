import type { Writable } from "node:stream";

/** Counts the bytes that are written to a stream from now on; returns a function that tells how many they are. */
export function countWritten(stream: Writable): () => number {
  let bytes = 0;
  for (const name of ["write", "end"] as const) {
    const original: unknown = Reflect.get(stream, name);
    if (typeof original !== "function") continue;
    const value = (...args: unknown[]): unknown => {
      bytes += sizeOf(args);
      return Reflect.apply(original, stream, args);
    };
    Object.defineProperty(stream, name, { value, configurable: true, writable: true });
  }
  return () => bytes;
}

/** Bytes of what a stream is given first; what is last, and sometimes first, is a callback. */
function sizeOf([chunk, encoding]: readonly unknown[]): number {
  if (ArrayBuffer.isView(chunk)) return chunk.byteLength;
  if (typeof chunk !== "string") return 0;
  const isNamed = typeof encoding === "string" && Buffer.isEncoding(encoding);
  return Buffer.byteLength(chunk, isNamed ? encoding : "utf8");
}

import type { Socket } from "node:net";
import type { ProxyProtocolMode } from "../config/config.ts";
import { readProxyHeader, type ProxySource } from "../http/proxy-header.ts";

/** How to take a PROXY header off a connection. */
export interface ReceptionOptions {
  readonly mode: Exclude<ProxyProtocolMode, "off">;
  /** Whether whoever connected may say that it speaks for another. */
  readonly isTrusted: boolean;
  /** Target of our own check, which may come without a header, and from anywhere. */
  readonly checkTarget: string;
  /** How long the header may take; 0 is no limit. */
  readonly withinMs: number;
  /** The connection is ready for HTTP, all bytes behind the header included. */
  readonly onServe: (source: ProxySource | undefined, headerBytes: number) => void;
  /** The connection was closed: no header came where one is required, or none that can be read. */
  readonly onRefused: (reason: string) => void;
}

type Verdict =
  | { readonly name: "wait" }
  | { readonly name: "serve"; readonly skip: number; readonly source: ProxySource | undefined }
  | { readonly name: "refuse"; readonly reason: string };

/** Takes the PROXY header off a connection that was just accepted, before anybody else reads from it. */
export function receiveProxyHeader(socket: Socket, options: ReceptionOptions): void {
  let bytes: Buffer = Buffer.alloc(0);
  const { withinMs } = options;
  const timer =
    withinMs === 0 ? undefined : setTimeout(() => refuse("no header came in time"), withinMs);
  timer?.unref();

  function onReadable(): void {
    for (let chunk = readChunk(socket); chunk !== undefined; chunk = readChunk(socket))
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    if (bytes.length === 0) return;
    const verdict = judge(bytes, options);
    if (verdict.name === "wait") return;
    if (verdict.name === "refuse") return refuse(verdict.reason);
    leave();
    if (verdict.skip < bytes.length) socket.unshift(bytes.subarray(verdict.skip));
    options.onServe(verdict.source, verdict.skip);
  }

  /** It says no more: whoever only knocks is no mistake. */
  function onEnd(): void {
    if (bytes.length > 0) return refuse("the connection ended within the header");
    leave();
    socket.end();
  }

  function refuse(reason: string): void {
    leave();
    // Nothing is answered: who sends no such header may not even speak HTTP.
    socket.on("error", () => {}).destroy();
    options.onRefused(reason);
  }

  function leave(): void {
    clearTimeout(timer);
    socket.off("readable", onReadable).off("end", onEnd).off("close", leave).off("error", ignore);
  }

  socket.on("readable", onReadable).on("end", onEnd).on("close", leave).on("error", ignore);
}

/** A peer that resets is heard of when the connection closes. */
function ignore(): void {}

function readChunk(socket: Socket): Buffer | undefined {
  const chunk: unknown = socket.read();
  return chunk instanceof Buffer ? chunk : undefined;
}

function judge(bytes: Buffer, { mode, isTrusted, checkTarget }: ReceptionOptions): Verdict {
  const header = readProxyHeader(bytes);
  const isCheck = (): boolean => bytes.includes(checkTarget);
  switch (header.state) {
    case "partial":
      return { name: "wait" };
    case "absent":
      if (mode === "optional" || isCheck()) return { name: "serve", skip: 0, source: undefined };
      return { name: "refuse", reason: "it begins with something else" };
    case "malformed":
      return { name: "refuse", reason: header.reason };
    case "complete":
      if (isTrusted) return { name: "serve", skip: header.length, source: header.source };
      return { name: "refuse", reason: "its sender is not a trusted proxy" };
  }
}

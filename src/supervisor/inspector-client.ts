import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { http } from "../node-http.ts";
import { formatFrames } from "./stack-frames.ts";

/** Scripts are told of in messages that may hold whole source maps: only their beginning is read. */
const SCRIPT =
  /^\{"method":"Debugger\.scriptParsed","params":\{"scriptId":"(\d+)","url":("(?:[^"\\]|\\.)*")/;
const PAUSED = '{"method":"Debugger.paused"';
/** How an inspector is closed from within; `inspector.close()` is the same function. */
const CLOSE = "process._debugEnd()";

/**
 * Pauses the process behind an inspector for an instant, and resolves to where it was: function, file,
 * line and column of its innermost frames. The process goes on, and its inspector closes.
 */
export async function readFrames(port: number, signal: AbortSignal): Promise<readonly string[]> {
  const socket = new WebSocket(await readSocketUrl(port, signal));
  const failed = once(socket, "error", { signal });
  failed.catch(() => {});
  try {
    const hungUp = failed.then(() => Promise.reject(new Error("its inspector hung up")));
    const frames = await Promise.race([pauseOnce(socket, signal), hungUp]);
    // It closes the connection when it has gone on.
    if (socket.readyState === WebSocket.OPEN)
      await once(socket, "close", { signal }).catch(() => {});
    return frames;
  } finally {
    socket.close();
  }
}

async function pauseOnce(socket: WebSocket, signal: AbortSignal): Promise<readonly string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
  signal.addEventListener("abort", () => reject(new Error("it did not pause")), { once: true });
  const places = new Map<string, string>();
  const send = (id: number, method: string, params: object = {}): void =>
    socket.send(JSON.stringify({ id, method, params }));
  socket.addEventListener("open", () => {
    send(1, "Debugger.enable");
    send(2, "Debugger.pause");
  });
  const hear = (message: string): void => {
    const [, script, url] = SCRIPT.exec(message) ?? [];
    if (script !== undefined && url !== undefined) places.set(script, String(JSON.parse(url)));
    if (!message.startsWith(PAUSED)) return;
    resolve(formatFrames(JSON.parse(message), places));
    send(3, "Runtime.evaluate", { expression: CLOSE });
    send(4, "Debugger.resume");
  };
  socket.addEventListener("message", ({ data }) => {
    try {
      hear(String(data));
    } catch (error) {
      reject(error);
    }
  });
  return await promise;
}

async function readSocketUrl(port: number, signal: AbortSignal): Promise<string> {
  const request = http.get({ host: "127.0.0.1", port, path: "/json/list", signal });
  const [response] = (await once(request, "response", { signal })) as [IncomingMessage];
  const list: unknown = JSON.parse(await text(response));
  const [first]: unknown[] = Array.isArray(list) ? list : [];
  if (typeof first === "object" && first !== null && "webSocketDebuggerUrl" in first)
    return String(first.webSocketDebuggerUrl);
  throw new Error("somebody else is connected to its inspector");
}

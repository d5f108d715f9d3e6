import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { http } from "../node-http.ts";

/** The response that node:http sends on a connection now; undefined between two. */
export function responseOn(socket: Duplex): ServerResponse | undefined {
  if (!("_httpMessage" in socket)) return undefined;
  return socket._httpMessage instanceof http.ServerResponse ? socket._httpMessage : undefined;
}

/** Whether the head of a response is already on its way on this connection. */
export function isAnswering(socket: Duplex): boolean {
  return responseOn(socket)?.headersSent === true;
}

/** Whether the app has ended a response that is not all with the kernel yet. */
export function isSending(socket: Duplex): boolean {
  return responseOn(socket)?.writableEnded === true;
}

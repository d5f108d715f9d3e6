import type { IncomingMessage, ServerResponse } from "node:http";
import { http } from "../node-http.ts";
import type { UpgradeHook } from "./app.ts";
import type { ContextFactory } from "./context.ts";
import {
  callFetch,
  sendResponse,
  toRequest,
  type FetchContext,
  type FetchHandler,
} from "./fetch.ts";
import { Handshake } from "./handshake.ts";

/** Whether it asks for a WebSocket and nothing else; a handler may answer it like any other request. */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return (
    method === "GET" &&
    headers.upgrade?.toLowerCase() === "websocket" &&
    headers["content-length"] === undefined &&
    headers["transfer-encoding"] === undefined
  );
}

/** Calls a fetch handler for a request that asks for a WebSocket, which it may accept through its context. */
export function adaptFetchUpgrade(fetch: FetchHandler, createContext: ContextFactory): UpgradeHook {
  return async (request, socket, head) => {
    const response = openResponse(request);
    let handshake: Handshake | undefined;
    const context: FetchContext = Object.assign(createContext(request), {
      upgradeWebSocket: (options = {}) => {
        handshake ??= new Handshake(options);
        return { socket: handshake.socket, response: new Response(null, { headers: ACCEPTANCE }) };
      },
    } satisfies Pick<FetchContext, "upgradeWebSocket">);
    let answer: Response;
    try {
      answer = await callFetch(fetch, toRequest(request, response, context), context);
    } catch (error) {
      handshake?.abandon();
      throw error;
    }
    if (handshake !== undefined && isAcceptance(answer)) {
      handOver(response);
      handshake.complete({ request, socket, head }, answer.headers);
      return;
    }
    handshake?.abandon();
    await sendResponse(answer, response);
  };
}

/** A framework may copy the response: headers survive that, and a status of 101 does not. */
const ACCEPTANCE = { upgrade: "websocket" } as const;

function isAcceptance({ headers, ok }: Response): boolean {
  return ok && headers.get("upgrade") === ACCEPTANCE.upgrade;
}

/** A response on a connection that node:http has given away; it is the last one there. */
function openResponse(request: IncomingMessage): ServerResponse {
  const { socket } = request;
  const response = new http.ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  // What node:http does for connections that it keeps.
  socket.on("drain", () => response.emit("drain"));
  response.once("finish", () => {
    response.detachSocket(socket);
    socket.destroySoon();
  });
  return response;
}

/** Takes the connection away from a response that nothing was sent through. */
function handOver(response: ServerResponse): void {
  const { socket } = response.req;
  response.detachSocket(socket);
  // Its close is what the signal of the request waits for.
  socket.once("close", () => response.emit("close"));
}

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { once } from "node:events";
import { http } from "../node-http.ts";
import type { OpsEndpoint } from "../config/config.ts";
import { describeError, errnoOf } from "../errors.ts";
import { createDeferred } from "../lifecycle/deferred.ts";
import type { Logger } from "../log/logger.ts";
import { formatHostPort } from "../host-port.ts";
import { ownServer } from "../own-server.ts";
import { describeListenError } from "./listen-error.ts";
import { createRoutes, type OpsReply, type SnapshotSource } from "./routes.ts";

/** A peer that says nothing, reads nothing or goes on for ever holds a descriptor for this long. */
const PATIENCE_MS = 5_000;
const CHECK_INTERVAL_MS = 1_000;
const MAX_CONNECTIONS = 512;
/** How long close() lets answers take that have begun. */
const CLOSE_WITHIN_MS = 1_000;

export interface OpsServerOptions extends SnapshotSource {
  readonly endpoint: OpsEndpoint;
  readonly log: Logger;
}

/** The ops endpoint while it listens. */
export interface OpsServer {
  /** What was bound; the port is real even where 0 was asked for. */
  readonly address: OpsEndpoint;
  /** Stops accepting, sends the answers that have begun, and cuts what remains after a second. */
  close(): Promise<void>;
}

/** Opens the ops endpoint and resolves when it listens. */
export async function openOpsServer({
  endpoint,
  log,
  ...source
}: OpsServerOptions): Promise<OpsServer> {
  const respond = createRoutes(source);
  const inFlight = new InFlight();
  const server = http.createServer(
    {
      headersTimeout: PATIENCE_MS,
      requestTimeout: PATIENCE_MS,
      keepAliveTimeout: PATIENCE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      // A probe is told an address, not a name; many send no Host at all.
      requireHostHeader: false,
    },
    (request, response) => {
      inFlight.add(response);
      void answer(request, response);
    },
  );
  server.timeout = PATIENCE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  server.on("clientError", (error: Error, socket: Socket) => refuse(error, socket, log));

  await listen(server, endpoint);
  server.on("error", (error) => log.error({ error: describeError(error) }, "ops endpoint failed"));
  let closed: Promise<void> | undefined;
  return { address: boundAddress(server, endpoint), close: () => (closed ??= close()) };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: target = "", headers } = request;
    try {
      const reply = await respond({ method, target, headers });
      // A body nobody asked for is not read: the connection goes instead.
      const mustClose = !server.listening || hasBody(request);
      send(response, reply, mustClose ? { Connection: "close" } : {});
    } catch (error) {
      log.error({ error: describeError(error) }, "ops request failed");
      send(response, FAILED, {});
    }
  }

  async function close(): Promise<void> {
    const lastGone = once(server, "close");
    server.close();
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS);
    void inFlight.ended().then(() => server.closeAllConnections());
    await lastGone;
    clearTimeout(cut);
  }
}

const FAILED: OpsReply = {
  status: 500,
  headers: { "Content-Type": "text/plain; charset=utf-8" },
  body: "internal error, see the log\n",
};

/** Responses that have begun and are not with the kernel yet. */
class InFlight {
  readonly #responses = new Set<ServerResponse>();
  readonly #allEnded = createDeferred<void>();
  #isAwaited = false;

  add(response: ServerResponse): void {
    this.#responses.add(response);
    response.once("close", () => {
      this.#responses.delete(response);
      this.#settle();
    });
  }

  /** Resolves when there is none left. */
  ended(): Promise<void> {
    this.#isAwaited = true;
    this.#settle();
    return this.#allEnded.promise;
  }

  #settle(): void {
    if (this.#isAwaited && this.#responses.size === 0) this.#allEnded.resolve();
  }
}

function send(response: ServerResponse, reply: OpsReply, headers: Record<string, string>): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(reply.status, {
    ...reply.headers,
    ...headers,
    "Content-Length": Buffer.byteLength(reply.body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(reply.body);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Load balancers connect and reset all day long: nothing here may be louder than debug. */
function refuse(error: Error, socket: Socket, log: Logger): void {
  const code = errnoOf(error);
  log.debug({ code, client: socket.remoteAddress }, "ops connection refused");
  if (!socket.writable || code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status = code === "ERR_HTTP_REQUEST_TIMEOUT" ? "408 Request Timeout" : "400 Bad Request";
  // Without destroy() the descriptor would wait for a FIN that a half-open peer never sends.
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  );
}

async function listen(server: Server, endpoint: OpsEndpoint): Promise<void> {
  const listening = once(server, "listening");
  ownServer(server).listen({ host: endpoint.host, port: endpoint.port });
  try {
    await listening;
  } catch (error) {
    throw describeListenError("ops", endpoint, error);
  }
}

function boundAddress(server: Server, endpoint: OpsEndpoint): OpsEndpoint {
  const address = server.address();
  if (address === null || typeof address === "string")
    throw new TypeError(`No address for ${formatHostPort(endpoint)}`);
  return { host: address.address, port: address.port };
}

import net, { type BoundSocket, type Socket } from "node:net";
import type { App } from "../app/app.ts";
import { assignEndpoint, type EndpointContext } from "../app/context.ts";
import type { Endpoint, HttpConfig } from "../config/config.ts";
import { EndpointCounters } from "../counters.ts";
import type { HttpEngine } from "../http/engine.ts";
import { createNodeEngine } from "../http/node.ts";
import type { RequestRecorder } from "./request-recorder.ts";
import { Connections } from "./connections.ts";

const OVERLOADED =
  "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const LINGER_MS = 2_000;

/** What a worker is given to listen on: a descriptor of its own, or the very socket when it shares the process. */
export type ListenTarget = { readonly fd: number } | BoundSocket;

export interface EndpointServerOptions {
  readonly endpoint: Endpoint;
  readonly context: EndpointContext;
  readonly app: App;
  readonly http: HttpConfig;
  readonly checkTarget: string;
  readonly recorder: RequestRecorder;
}

/** Accepts on one endpoint, counts what it accepts and hands it to the HTTP engine. */
export class EndpointServer {
  readonly counters: EndpointCounters = new EndpointCounters();
  readonly connections: Connections = new Connections(this.counters);
  readonly #options: EndpointServerOptions;
  readonly #engine: HttpEngine;
  readonly #server: net.Server;

  constructor(options: EndpointServerOptions) {
    this.#options = options;
    this.#engine = this.#createEngine();
    // As node:http sets its own listener: a client that half-closes still gets its answer.
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(socket),
    );
  }

  get name(): string {
    return this.#options.endpoint.name;
  }

  /** Starts to accept; rejects when the socket cannot listen. */
  async listen(target: ListenTarget): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { backlog } = this.#options.endpoint;
    this.#server.once("error", reject);
    if ("fd" in target && typeof target.fd === "number")
      this.#server.listen({ fd: target.fd, backlog }, resolve);
    else this.#server.listen(target, backlog, resolve);
    await promise;
    this.#server.off("error", reject);
  }

  /** Closes this worker's copy of the listener; open connections go on. */
  stopAccepting(): void {
    if (this.#server.listening) this.#server.close();
  }

  announceClose(): void {
    this.#engine.announceClose();
  }

  closeIdleConnections(): void {
    this.#engine.closeIdleConnections();
  }

  /** Lets go of what outlives the connections. */
  close(): void {
    this.stopAccepting();
    this.#engine.close();
  }

  #createEngine(): HttpEngine {
    const { app, http, checkTarget, recorder } = this.#options;
    return createNodeEngine({
      app,
      http,
      checkTarget,
      measureBytes: recorder.wantsBytes,
      events: {
        requestStarted: () => this.counters.countStarted(),
        requestEnded: (exchange) => {
          this.counters.countFinished(exchange.method, exchange.status, exchange.durationSeconds);
          recorder.record(exchange);
        },
        rejected: (reason) => this.counters.countRejected(reason),
        checked: (socket) => this.connections.disown(socket),
      },
    });
  }

  #accept(socket: Socket): void {
    const { maxConnections } = this.#options.endpoint;
    if (maxConnections > 0 && this.connections.count >= maxConnections) {
      this.counters.countRejected("max_connections");
      turnAway(socket);
      return;
    }
    assignEndpoint(socket, this.#options.context);
    this.connections.add(socket);
    this.#engine.serve(socket);
  }
}

/** Answers and lets the peer hang up, but not for ever. */
function turnAway(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.setTimeout(LINGER_MS, () => socket.destroy());
  socket.end(OVERLOADED);
  socket.resume();
}

import net, { type BoundSocket } from "node:net";
import type { App } from "../app/app.ts";
import type { EndpointContext } from "../app/context.ts";
import type { Endpoint, HttpConfig, HttpVersions, WebSocketCloseCode } from "../config/config.ts";
import { formatAddress } from "../config/endpoint.ts";
import { chooseTimeouts } from "../config/timeouts.ts";
import type { EndpointCounters } from "../counters.ts";
import type { HttpEngine } from "../http/engine.ts";
import { alpnProtocols, createEngine } from "../http/protocols.ts";
import { Upgrades } from "../http/upgrades.ts";
import { discardHandle } from "../listener/sendable.ts";
import { refuseAddress } from "../listener/tcp.ts";
import type { Logger } from "../log/logger.ts";
import { ownServer } from "../own-server.ts";
import type { ShedOrder } from "../protocol.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import type { RequestRecorder } from "./request-recorder.ts";
import { Connections } from "./connections.ts";
import { createEngineEvents, createUpgradeEvents, type EndpointBooks } from "./endpoint-events.ts";
import { Gate, type Load } from "./gate.ts";
import { Reception } from "./reception.ts";
import { Shedder } from "./shedder.ts";
import type { TlsTerminator } from "./tls-terminator.ts";
import { createTerminator } from "./create-terminator.ts";

/** What a worker is given to listen on: a descriptor of its own, or the very socket when it shares the process. */
export type ListenTarget = { readonly fd: number } | BoundSocket;

export interface EndpointServerOptions {
  readonly endpoint: Endpoint;
  readonly context: EndpointContext;
  readonly counters: EndpointCounters;
  readonly app: App;
  /** Of the program; those of the endpoint come first. */
  readonly http: HttpConfig;
  readonly webSocketCloseCode: WebSocketCloseCode;
  readonly log: Logger;
  readonly checkTarget: string;
  /** Tells the supervisor how many connections are open. */
  readonly reportLoad: (load: Load) => void;
  /** Called after each request. */
  readonly onAnswered: () => void;
  readonly recorder: RequestRecorder;
  /** What it proves itself with, where it speaks TLS. */
  readonly credentials: TlsCredentials | undefined;
}

/** Accepts on one endpoint, counts what it accepts and has it served. */
export class EndpointServer {
  readonly counters: EndpointCounters;
  readonly connections: Connections;
  readonly #options: EndpointServerOptions;
  readonly #books: EndpointBooks;
  readonly upgrades: Upgrades;
  readonly #engine: HttpEngine;
  readonly #gate: Gate;
  readonly #shedder: Shedder;
  readonly #terminator: TlsTerminator | undefined;
  readonly #reception: Reception;
  /** A new one each time the listener is opened; undefined while it is closed. */
  #server: net.Server | undefined;
  #isStopped = false;

  constructor(options: EndpointServerOptions) {
    const http = chooseTimeouts(options.endpoint.timeouts, options.http);
    this.#options = { ...options, http };
    this.counters = options.counters;
    this.#gate = new Gate({ shut: () => this.#closeListener(), report: options.reportLoad });
    this.connections = new Connections(this.counters, (open) => this.#gate.count(open));
    this.#books = {
      counters: this.counters,
      connections: this.connections,
      recorder: options.recorder,
      log: options.log,
      endpoint: options.endpoint.name,
      onEnded: (connection) => {
        this.#shedder.count(connection);
        options.onAnswered();
      },
    };
    this.upgrades = new Upgrades(createUpgradeEvents(this.#books), options.webSocketCloseCode);
    this.#engine = this.#createEngine();
    this.#shedder = new Shedder(this.#engine);
    this.#terminator = createTerminator(this.#options, alpnProtocols(this.#httpVersions));
    this.#reception = new Reception({
      ...this.#options,
      versions: this.#httpVersions,
      connections: this.connections,
      engine: this.#engine,
      terminator: this.#terminator,
    });
  }

  get name(): string {
    return this.#options.endpoint.name;
  }

  /** Starts to accept; rejects when the socket cannot listen. */
  async listen(target: ListenTarget): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { endpoint } = this.#options;
    const { backlog } = endpoint;
    const server = this.#createServer();
    server.once("error", reject);
    if ("fd" in target && typeof target.fd === "number")
      server.listen({ fd: target.fd, backlog }, resolve);
    else server.listen(target, backlog, resolve);
    try {
      await promise;
    } catch (error) {
      throw refuseAddress(formatAddress(endpoint), error);
    }
    server.off("error", reject);
    this.#server = server;
  }

  /** Stops accepting once so many connections are open. */
  limitTo(limit: number): void {
    this.#gate.limitTo(limit);
  }

  /** Lets some connections end, each with its next response. */
  shed(order: ShedOrder): void {
    if (!this.#isStopped) this.#shedder.shed(order);
  }

  /** Accepts again through a handle of the listener that the supervisor sent. */
  reopen(handle: unknown, limit: number): void {
    if (this.#isStopped || this.#server !== undefined) {
      // A report crossed the answer to the one before: it was opened already.
      discardHandle(handle);
      this.#gate.limitTo(limit);
      return;
    }
    this.#server = this.#createServer();
    // Node's word for "an object with a handle in it"; a bare pipe handle is not accepted.
    this.#server.listen({ _handle: handle }, this.#options.endpoint.backlog);
    this.#gate.reopened(limit);
  }

  /** Tells the supervisor at once how many connections are open. */
  reportLoad(): void {
    this.#gate.report();
  }

  /** Closes this worker's copy of the listener for good; open connections go on. */
  stopAccepting(): void {
    this.#isStopped = true;
    this.#gate.stop();
    this.#shedder.stop();
    this.#closeListener();
  }

  announceClose(): void {
    this.#engine.announceClose();
  }

  closeIdleConnections(): void {
    this.#reception.finish();
    this.#engine.closeIdleConnections();
  }

  /** Proves itself with these on connections that come from now on. */
  renew(credentials: TlsCredentials): void {
    this.#terminator?.renew(credentials);
  }

  /** Lets go of what outlives the connections. */
  close(): void {
    this.stopAccepting();
    this.#engine.close();
  }

  #createServer(): net.Server {
    // As node:http sets its own listener: a client that half-closes still gets its answer.
    return ownServer(
      net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
        this.#reception.receive(socket),
      ),
    );
  }

  #closeListener(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #createEngine(): HttpEngine {
    const { endpoint, app, http, checkTarget, recorder } = this.#options;
    return createEngine(this.#httpVersions, {
      app,
      http,
      limits: endpoint.limits,
      checkTarget,
      measureBytes: recorder.wantsBytes,
      upgrades: this.upgrades,
      events: {
        ...createEngineEvents(this.#books),
        succeeded: (socket, successor) => this.#reception.succeed(socket, successor),
      },
    });
  }

  get #httpVersions(): HttpVersions {
    return this.#options.endpoint.http ?? "auto";
  }
}

import net, { type BoundSocket, type Socket } from "node:net";
import type { App } from "../app/app.ts";
import { assignEndpoint, assignPeer, inheritPeer, type EndpointContext } from "../app/context.ts";
import type {
  Endpoint,
  HttpConfig,
  HttpVersions,
  ProxyProtocolMode,
  WebSocketCloseCode,
} from "../config/config.ts";
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
import { receiveProxyHeader } from "./proxy-reception.ts";
import { Shedder } from "./shedder.ts";
import type { TlsTerminator } from "./tls-terminator.ts";
import { createTerminator } from "./create-terminator.ts";
import { turnAway } from "./turn-away.ts";

/** What a connection may take for its request whose handshake, or PROXY header, ended when we were about to go. */
const LATE_MS = 500;

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

/** Accepts on one endpoint, counts what it accepts and hands it to the HTTP engine. */
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
  /** A new one each time the listener is opened; undefined while it is closed. */
  #server: net.Server | undefined;
  #isStopped = false;
  /** Connections that ask for nothing are not waited for any more. */
  #isFinishing = false;

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
    this.#isFinishing = true;
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
      net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket)),
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
        succeeded: (socket, successor) => this.#succeed(socket, successor),
      },
    });
  }

  get #httpVersions(): HttpVersions {
    return this.#options.endpoint.http ?? "auto";
  }

  #accept(socket: Socket): void {
    const { maxConnections, proxyProtocol } = this.#options.endpoint;
    const isFull = maxConnections > 0 && this.connections.count >= maxConnections;
    if (isFull && this.#terminator === undefined) {
      this.#turnAway(socket);
      return;
    }
    if (!isFull) {
      assignEndpoint(socket, this.#options.context);
      this.connections.add(socket);
    }
    if (proxyProtocol === "off") this.#admit(socket, isFull);
    else this.#receive(socket, proxyProtocol, isFull);
  }

  #receive(socket: Socket, mode: Exclude<ProxyProtocolMode, "off">, isFull: boolean): void {
    const { context, http, checkTarget, log } = this.#options;
    receiveProxyHeader(socket, {
      mode,
      isTrusted: context.trusted.isTrusted(socket),
      checkTarget,
      withinMs: http.headersTimeoutMs,
      onServe: (source, headerBytes) => {
        if (source !== undefined) assignPeer(socket, source);
        this.connections.discount(socket, headerBytes);
        this.#admit(socket, isFull);
        this.#expectSoon(socket);
      },
      onRefused: (reason) => {
        this.counters.countRejected("proxy_protocol");
        log.debug({ endpoint: this.name, reason }, "PROXY header refused");
      },
    });
  }

  #admit(socket: Socket, isFull: boolean): void {
    if (this.#terminator === undefined) this.#engine.serve(socket);
    else this.#secure(this.#terminator, socket, isFull);
  }

  /** A client there is no room for is told so as well; that costs the handshake. */
  #secure(terminator: TlsTerminator, socket: Socket, isFull: boolean): void {
    terminator.accept(socket, {
      begun: () => this.connections.attribute(socket, "tls_handshake"),
      secured: (secure) => {
        if (isFull) this.#turnAway(secure);
        else this.#serveSecure(socket, secure);
      },
      checked: () => {
        if (isFull) this.#turnAway(socket);
        else this.#engine.serve(socket);
      },
      failed: (reason, error) => {
        this.counters.countHandshakeFailure(reason);
        this.connections.attribute(socket, "tls_handshake");
        const { log, endpoint } = this.#options;
        const fields = { endpoint: endpoint.name, reason, client: socket.remoteAddress };
        log.debug({ ...fields, error: error?.message.trim() }, "tls handshake failed");
      },
    });
  }

  #serveSecure(socket: Socket, secure: Socket): void {
    if (!this.#succeed(socket, secure)) {
      secure.destroy();
      return;
    }
    this.#engine.serve(secure);
    this.#expectSoon(secure);
  }

  /** Goes on with a connection under another socket; false when it is gone by now. */
  #succeed(socket: Socket, successor: Socket): boolean {
    assignEndpoint(successor, this.#options.context);
    inheritPeer(successor, socket);
    return this.connections.replace(socket, successor);
  }

  /** Those that had asked for nothing when we began to finish are closed already; one that comes after has to be quick. */
  #expectSoon(socket: Socket): void {
    if (this.#isFinishing) this.connections.destroyUnlessHeard(socket, LATE_MS);
  }

  #turnAway(socket: Socket): void {
    turnAway(socket, {
      checkTarget: this.#options.checkTarget,
      versions: this.#httpVersions,
      counters: this.counters,
      recorder: this.#options.recorder,
    });
  }
}

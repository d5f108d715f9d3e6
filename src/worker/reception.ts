import type { Socket } from "node:net";
import { assignEndpoint, assignPeer, inheritPeer, type EndpointContext } from "../app/context.ts";
import type { Endpoint, HttpConfig, HttpVersions, ProxyProtocolMode } from "../config/config.ts";
import type { EndpointCounters } from "../counters.ts";
import type { HttpEngine } from "../http/engine.ts";
import type { Logger } from "../log/logger.ts";
import type { Connections } from "./connections.ts";
import { receiveProxyHeader } from "./proxy-reception.ts";
import type { RequestRecorder } from "./request-recorder.ts";
import type { TlsTerminator } from "./tls-terminator.ts";
import { turnAway } from "./turn-away.ts";

/** What a connection may take for its request whose handshake, or PROXY header, ended when we were about to go. */
const LATE_MS = 500;

export interface ReceptionOptions {
  readonly endpoint: Endpoint;
  readonly context: EndpointContext;
  readonly http: HttpConfig;
  /** What the endpoint speaks. */
  readonly versions: HttpVersions;
  readonly counters: EndpointCounters;
  readonly connections: Connections;
  readonly engine: HttpEngine;
  /** Ends TLS; undefined where the endpoint does not speak it. */
  readonly terminator: TlsTerminator | undefined;
  readonly recorder: RequestRecorder;
  readonly checkTarget: string;
  readonly log: Logger;
}

/** What a connection passes between accept and engine: room for it, its PROXY header, its TLS handshake. */
export class Reception {
  readonly #options: ReceptionOptions;
  /** Connections that ask for nothing are not waited for any more. */
  #isFinishing = false;

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  /** From now on a connection that is still on its way to the engine has to be quick. */
  finish(): void {
    this.#isFinishing = true;
  }

  /** Takes in a connection that was accepted. */
  receive(socket: Socket): void {
    const { endpoint, context, connections, terminator } = this.#options;
    const { maxConnections, proxyProtocol } = endpoint;
    const isFull = maxConnections > 0 && connections.count >= maxConnections;
    if (isFull && terminator === undefined) {
      turnAway(socket, this.#options);
      return;
    }
    if (!isFull) {
      assignEndpoint(socket, context);
      connections.add(socket);
    }
    if (proxyProtocol === "off") this.#admit(socket, isFull);
    else this.#readHeader(socket, proxyProtocol, isFull);
  }

  /** Goes on with a connection under another socket; false when it is gone by now. */
  succeed(socket: Socket, successor: Socket): boolean {
    const { context, connections } = this.#options;
    assignEndpoint(successor, context);
    inheritPeer(successor, socket);
    return connections.replace(socket, successor);
  }

  #readHeader(socket: Socket, mode: Exclude<ProxyProtocolMode, "off">, isFull: boolean): void {
    const { endpoint, context, http, counters, connections, checkTarget, log } = this.#options;
    receiveProxyHeader(socket, {
      mode,
      isTrusted: context.trusted.isTrusted(socket),
      checkTarget,
      withinMs: http.headersTimeoutMs,
      onServe: (source, headerBytes) => {
        if (source !== undefined) assignPeer(socket, source);
        connections.discount(socket, headerBytes);
        this.#admit(socket, isFull);
        this.#expectSoon(socket);
      },
      onRefused: (reason) => {
        counters.countRejected("proxy_protocol");
        log.debug({ endpoint: endpoint.name, reason }, "PROXY header refused");
      },
    });
  }

  #admit(socket: Socket, isFull: boolean): void {
    const { engine, terminator } = this.#options;
    if (terminator === undefined) engine.serve(socket);
    else this.#secure(terminator, socket, isFull);
  }

  /** A client there is no room for is told so as well; that costs the handshake. */
  #secure(terminator: TlsTerminator, socket: Socket, isFull: boolean): void {
    const { endpoint, counters, connections, engine, log } = this.#options;
    terminator.accept(socket, {
      begun: () => connections.attribute(socket, "tls_handshake"),
      secured: (secure) => {
        if (isFull) turnAway(secure, this.#options);
        else this.#serveSecure(socket, secure);
      },
      checked: () => {
        if (isFull) turnAway(socket, this.#options);
        else engine.serve(socket);
      },
      failed: (reason, error) => {
        counters.countHandshakeFailure(reason);
        connections.attribute(socket, "tls_handshake");
        const fields = { endpoint: endpoint.name, reason, client: socket.remoteAddress };
        log.debug({ ...fields, error: error?.message.trim() }, "tls handshake failed");
      },
    });
  }

  #serveSecure(socket: Socket, secure: Socket): void {
    if (!this.succeed(socket, secure)) {
      secure.destroy();
      return;
    }
    this.#options.engine.serve(secure);
    this.#expectSoon(secure);
  }

  /** Those that had asked for nothing when we began to finish are closed already; one that comes after has to be quick. */
  #expectSoon(socket: Socket): void {
    if (this.#isFinishing) this.#options.connections.destroyUnlessHeard(socket, LATE_MS);
  }
}

import { lookup } from "node:dns/promises";
import { BoundSocket, createServer, isIP, type Server, type Socket } from "node:net";
import type { OpsEndpoint } from "../config/config.ts";
import { describeError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";
import type { Logger } from "../log/logger.ts";
import { ownServer } from "../own-server.ts";
import { describeListenError } from "./listen-error.ts";

/** How long a peer that neither ends nor resets its connection holds a descriptor. */
const PATIENCE_MS = 5_000;
const MAX_CONNECTIONS = 512;
/** A worker that falls silent tells nobody. */
const LOOK_INTERVAL_MS = 100;
/** A port that somebody took may be free again. */
const RETRY_INTERVAL_MS = 1_000;

export interface ProbePortOptions {
  readonly endpoint: OpsEndpoint;
  readonly log: Logger;
  /** The verdict of `/readyz`, at once. */
  readonly isReady: () => boolean;
}

/**
 * A bare TCP port that listens exactly while we are ready, for load balancers that only connect.
 *
 * One socket is bound for as long as we live and never listens: it keeps the system from giving the
 * port to anybody. Each time the port opens, a second one is bound beside it, which the kernel lets
 * us do while nobody listens there.
 */
export class ProbePort {
  /** What was bound; the port is real even where 0 was asked for. */
  readonly address: OpsEndpoint;
  readonly #reservation: BoundSocket;
  readonly #log: Logger;
  readonly #isReady: () => boolean;
  readonly #timer: NodeJS.Timeout;
  readonly #connections = new Set<Socket>();
  /** While the port is open. */
  #server: Server | undefined;
  #isClosed = false;
  /** When opening it failed last; undefined since it did not. */
  #failedAtMs: number | undefined;

  private constructor(reservation: BoundSocket, { log, isReady }: ProbePortOptions) {
    const { address, port } = reservation.address();
    this.address = { host: address, port };
    this.#reservation = reservation;
    this.#log = log;
    this.#isReady = isReady;
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
  }

  /** Takes the port without opening it; rejects with `ERR_LISTEN` when somebody listens there or it cannot be bound. */
  static async claim(options: ProbePortOptions): Promise<ProbePort> {
    const { endpoint } = options;
    try {
      const host =
        isIP(endpoint.host) === 0 ? (await lookup(endpoint.host)).address : endpoint.host;
      return new ProbePort(new BoundSocket({ host, port: endpoint.port }), options);
    } catch (error) {
      throw describeListenError("probe", endpoint, error);
    }
  }

  /** Opens or closes the port at once, as the verdict is now. */
  follow(): void {
    const wantsOpen = !this.#isClosed && this.#isReady();
    if (wantsOpen && this.#server === undefined) this.#open();
    if (!wantsOpen && this.#server !== undefined) this.#shut(this.#server);
  }

  /** Closes the port for good and gives it back. Idempotent. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.follow();
    this.#reservation[Symbol.dispose]();
  }

  #look(): void {
    const mustWait =
      this.#failedAtMs !== undefined && performance.now() - this.#failedAtMs < RETRY_INTERVAL_MS;
    if (this.#server !== undefined || !mustWait) this.follow();
  }

  #open(): void {
    const { host, port } = this.address;
    const server = createServer((socket) => this.#hold(socket));
    server.maxConnections = MAX_CONNECTIONS;
    server.on("error", (error) => this.#fail(server, error));
    this.#server = server;
    try {
      ownServer(server).listen(new BoundSocket({ host, port }));
    } catch (error) {
      this.#fail(server, error);
    }
    // A socket that is bound listens at once, or never: the error of that comes later.
    if (!server.listening) return;
    this.#failedAtMs = undefined;
    this.#log.info({ address: formatHostPort(this.address) }, "probe port open");
  }

  #shut(server: Server): void {
    this.#server = undefined;
    server.close();
    for (const socket of this.#connections) socket.destroy();
    this.#log.info({ address: formatHostPort(this.address) }, "probe port closed");
  }

  /** Somebody listens there since it was last open: the next look tries again. */
  #fail(server: Server, error: unknown): void {
    if (this.#server === server) this.#server = undefined;
    server.close();
    const isKnown = this.#failedAtMs !== undefined;
    this.#failedAtMs = performance.now();
    // Said once, not at every attempt.
    if (isKnown) return;
    const { message } = describeError(describeListenError("probe", this.address, error));
    this.#log.error({ error: message }, "probe port cannot be opened");
  }

  /** Reads and drops what comes until the peer ends; its connections are worth no line. */
  #hold(socket: Socket): void {
    const limit = setTimeout(() => socket.destroy(), PATIENCE_MS).unref();
    this.#connections.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      clearTimeout(limit);
      this.#connections.delete(socket);
    });
    socket.resume();
  }
}

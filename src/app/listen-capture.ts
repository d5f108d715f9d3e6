import { Server } from "node:net";
import type { AppServerChoice } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import { createDeferred } from "../lifecycle/deferred.ts";
import { isOwnServer } from "../own-server.ts";
import { describeAsked, readListenCall, type Asked, type ListenCall } from "./listen-call.ts";
import { StandIn, type OwnAddress } from "./stand-in.ts";

type Listen = (this: Server, ...args: unknown[]) => Server;

export interface ListenCaptureOptions {
  /** Which of the app's servers is served on our endpoints. */
  readonly choice: AppServerChoice;
  /** Whether other workers listen where this one does, so that ports must be shared. */
  readonly sharesPorts: boolean;
  readonly ownAddress: OwnAddress;
  /** Told of a server of the app that really listens. */
  readonly onElsewhere: (asked: string) => void;
  /** Told when the app closes the server that was taken; returns whether that one is served. */
  readonly onClose: () => boolean;
}

/**
 * Takes the server that an app lets listen by itself, and makes it believe that it does. Of several
 * it is the first, or the one that asks for the chosen port; others that ask for the same port, as
 * for another address of `localhost`, believe it too. All the rest really listens.
 */
export class ListenCapture {
  readonly #options: ListenCaptureOptions;
  readonly #taken = createDeferred<Server>();
  readonly #standIns: StandIn[] = [];
  readonly #original: Listen;
  #server: Server | undefined;
  #isTaken = false;
  #asked: Asked | undefined;
  /** Where servers of the app really listen. */
  readonly #elsewhere: string[] = [];

  private constructor(options: ListenCaptureOptions, original: Listen) {
    this.#options = options;
    this.#original = original;
    this.#taken.promise.catch(() => {});
  }

  /** Watches every `listen()` of this process from now on. */
  static install(options: ListenCaptureOptions): ListenCapture {
    const original: unknown = Reflect.get(Server.prototype, "listen");
    const capture = new ListenCapture(options, original as Listen);
    function listen(this: Server, ...args: unknown[]): Server {
      return capture.#listen(this, args);
    }
    Object.defineProperty(Server.prototype, "listen", {
      configurable: true,
      writable: true,
      value: listen,
    });
    return capture;
  }

  /** A server was asked for by its port: it goes before what the module exports. */
  get isChosen(): boolean {
    return this.#options.choice.kind === "port";
  }

  /** The server that was taken; undefined while there is none. */
  get server(): Server | undefined {
    return this.#server;
  }

  /** Where the server that was taken wanted to listen, as people write it; undefined while there is none. */
  get asked(): string | undefined {
    return this.#asked && describeAsked(this.#asked);
  }

  /** Resolves with the server that was taken. */
  get taken(): Promise<Server> {
    return this.#taken.promise;
  }

  /** Of an app that has let no server listen that could be served: where others do, as the end of a sentence. */
  describeElsewhere(): string {
    return this.#elsewhere.length === 0 ? "" : ` but on ${this.#elsewhere.join(", ")}`;
  }

  /** Lets go of the servers that only believe they listen: they have no connections any more. */
  release(): void {
    for (const standIn of this.#standIns) standIn.release();
  }

  #listen(server: Server, args: unknown[]): Server {
    const call = isOwnServer(server) || server.listening ? undefined : readListenCall(args);
    // What Node refuses, Node is to refuse.
    if (call === undefined) return Reflect.apply(this.#original, server, args);
    if (!this.#isWanted(server, call.asked)) return this.#listenElsewhere(server, call, args);
    this.#pretend(server, call);
    return server;
  }

  #isWanted(server: Server, asked: Asked): boolean {
    const { choice } = this.#options;
    if (choice.kind === "off") return false;
    const isAsked = choice.kind === "port" ? isSamePort(asked, choice.port) : this.#isFirst(asked);
    if (!isAsked || speaksHttp(server)) return isAsked;
    if (choice.kind === "port") throw refuseRaw(choice.port);
    return false;
  }

  #isFirst(asked: Asked): boolean {
    if (this.#asked === undefined) return true;
    // Whoever asks for any port does not mean the same one.
    return (
      this.#asked.kind === "port" && this.#asked.port > 0 && isSamePort(asked, this.#asked.port)
    );
  }

  /** One that is closed before it could be served, or that nobody wants to be served, was not the one. */
  #close(server: Server): void {
    if (server !== this.#server) return;
    if (this.#isTaken && this.#options.onClose()) return;
    this.#isTaken = false;
    this.#server = undefined;
    this.#asked = undefined;
    this.release();
  }

  #pretend(server: Server, call: ListenCall): void {
    const { ownAddress } = this.#options;
    const isTheOne = this.#server === undefined || this.#server === server;
    this.#standIns.push(
      new StandIn(server, { call, ownAddress, onClose: () => this.#close(server) }),
    );
    if (!isTheOne) return;
    this.#server = server;
    this.#asked = call.asked;
    // Listeners are often attached in the callback, or right after the call.
    server.once("listening", () => setImmediate(() => this.#take(server)));
  }

  #take(server: Server): void {
    if (server !== this.#server) return;
    this.#isTaken = true;
    this.#taken.resolve(server);
  }

  #listenElsewhere(
    server: Server,
    { asked, options, callback }: ListenCall,
    args: unknown[],
  ): Server {
    this.#elsewhere.push(describeAsked(asked));
    this.#options.onElsewhere(describeAsked(asked));
    if (asked.kind !== "port" || !this.#options.sharesPorts)
      return Reflect.apply(this.#original, server, args);
    const { port, host } = asked;
    const shared = { ...options, port, ...(host && { host }), reusePort: true };
    return Reflect.apply(this.#original, server, [shared, ...(callback ? [callback] : [])]);
  }
}

function isSamePort(asked: Asked, port: number): boolean {
  return asked.kind === "port" && asked.port === port;
}

/** Asked of its methods: to load node:https and node:http2 for their classes costs every worker memory. */
function speaksHttp(server: Server): boolean {
  return "closeIdleConnections" in server || "updateSettings" in server;
}

function refuseRaw(port: number): OutriggerError {
  return new OutriggerError(
    "ERR_APP",
    `Cannot serve the app's server on port ${port}: it is one of node:net or node:tls, expected one of node:http, node:https or node:http2`,
  );
}

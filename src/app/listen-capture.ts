import { Server, type ListenOptions } from "node:net";
import type { AppServerChoice } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import { createDeferred } from "../lifecycle/deferred.ts";
import { isOwnServer } from "../own-server.ts";
import type { App } from "./app.ts";
import { describeAsked, readListenCall, type Asked, type ListenCall } from "./listen-call.ts";
import { StandIn, type OwnAddress } from "./stand-in.ts";

type OwnsServer = NonNullable<App["ownsServer"]>;

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

/** A server that only believes it listens. */
interface Pretender {
  readonly server: Server;
  readonly call: ListenCall;
  readonly standIn: StandIn;
}

/**
 * Takes the server that an app lets listen by itself, and makes it believe that it does. Of several
 * it is the first, or the one that asks for the chosen port; others that ask for the same port, as
 * for another address of `localhost`, believe it too. All the rest really listens. Beside an export
 * the first may turn out to be another one than the export's: then it really listens as well.
 */
export class ListenCapture {
  readonly #options: ListenCaptureOptions;
  readonly #taken = createDeferred<Server>();
  #pretenders: readonly Pretender[] = [];
  readonly #original: Listen;
  #server: Server | undefined;
  #isTaken = false;
  #asked: Asked | undefined;
  /** Tells the servers of what is exported from others, once it is known that the export is served. */
  #ownsServer: OwnsServer | undefined;
  #hasOpened = false;
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

  /** Whether the app has servers that listen, as far as they are not left alone: it is to stop as such an app does. */
  get isListening(): boolean {
    return this.#server !== undefined || this.#hasOpened;
  }

  /** The export is served: servers that are not its own really listen, those included that only believe it so far. */
  serveExport(ownsServer: OwnsServer): void {
    this.#ownsServer = ownsServer;
    // Then all the others are further addresses of it.
    if (this.#server !== undefined && ownsServer(this.#server)) return;
    const others = this.#pretenders.filter(({ server }) => !ownsServer(server));
    this.#pretenders = this.#pretenders.filter(({ server }) => ownsServer(server));
    const [first] = this.#pretenders;
    this.#server = first?.server;
    this.#asked = first?.call.asked;
    for (const pretender of others) this.#open(pretender);
  }

  /** Lets go of the servers that only believe they listen: they have no connections any more. */
  release(): void {
    for (const { standIn } of this.#pretenders) standIn.release();
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
    if (this.#ownsServer?.(server) === false && !this.#isOtherAddress(asked)) return false;
    const isAsked = choice.kind === "port" ? isSamePort(asked, choice.port) : this.#isFirst(asked);
    if (!isAsked || speaksHttp(server)) return isAsked;
    if (choice.kind === "port") throw refuseRaw(choice.port);
    return false;
  }

  #isFirst(asked: Asked): boolean {
    return this.#asked === undefined || this.#isOtherAddress(asked);
  }

  /** Whoever asks for any port does not mean the same one. */
  #isOtherAddress(asked: Asked): boolean {
    const taken = this.#asked;
    return taken?.kind === "port" && taken.port > 0 && isSamePort(asked, taken.port);
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
    const onClose = (): void => this.#close(server);
    const standIn = new StandIn(server, { call, ownAddress, onClose });
    this.#pretenders = [...this.#pretenders, { server, call, standIn }];
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

  #listenElsewhere(server: Server, call: ListenCall, args: unknown[]): Server {
    this.#noteElsewhere(call.asked);
    const shared = this.#shareOptions(call);
    if (shared === undefined) return Reflect.apply(this.#original, server, args);
    const { callback } = call;
    return Reflect.apply(this.#original, server, [shared, ...(callback ? [callback] : [])]);
  }

  /** Lets one really listen that has only believed it. */
  #open({ server, call, standIn }: Pretender): void {
    // Closed in the meantime.
    if (!server.listening) return standIn.release();
    this.#hasOpened = true;
    this.#noteElsewhere(call.asked);
    const options = this.#shareOptions(call) ?? call.options;
    standIn.giveWay(() => void Reflect.apply(this.#original, server, [options]));
  }

  #noteElsewhere(asked: Asked): void {
    this.#elsewhere.push(describeAsked(asked));
    this.#options.onElsewhere(describeAsked(asked));
  }

  /** Options that let the workers share a port; undefined where there is none to share. */
  #shareOptions({ asked, options }: ListenCall): ListenOptions | undefined {
    if (asked.kind !== "port" || !this.#options.sharesPorts) return undefined;
    const { port, host } = asked;
    return { ...options, port, ...(host && { host }), reusePort: true };
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

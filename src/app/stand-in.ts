import { isIP, type AddressInfo, type Server } from "node:net";
import type { Asked, ListenCall } from "./listen-call.ts";

/** An address of ours, told where the app left its own open. */
export type OwnAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

export interface StandInOptions {
  readonly call: ListenCall;
  readonly ownAddress: OwnAddress;
  /** Called when the app closes the server. */
  readonly onClose: () => void;
}

/**
 * Makes a server believe that it listens. It is given a handle that does nothing, so that all that
 * Node makes of one holds: `listening`, `address()`, the event and the callback, the refusal of a second
 * `listen()`, and `close()`.
 */
export class StandIn {
  readonly #server: Server;
  /** Stands for the connections that we hold on its behalf: `close` waits for them. */
  #isHeld = true;
  #isAnnounced = false;

  constructor(server: Server, { call, ownAddress, onClose }: StandInOptions) {
    this.#server = server;
    const address = addressFor(call.asked, ownAddress);
    const handle = {
      close: (callback?: () => void): void => {
        callback?.();
        onClose();
      },
      ref() {},
      unref() {},
      ...(typeof address === "string"
        ? {}
        : { getsockname: (out: object) => void Object.assign(out, address) }),
    };
    Reflect.set(server, "_handle", handle);
    if (typeof address === "string") Reflect.set(server, "_pipeName", address);
    this.#countConnections(1);
    if (call.callback !== undefined) server.once("listening", call.callback);
    call.options.signal?.addEventListener("abort", () => void server.close(), { once: true });
    process.nextTick(() => this.#announce());
  }

  /**
   * Makes way for a real listener. Whoever waits for `listening`, the callback of the call included,
   * hears of it once: what was told already is not told again.
   *
   * @param listen Lets the server listen, without the callback.
   */
  giveWay(listen: () => void): void {
    const server = this.#server;
    const isTold = this.#isAnnounced;
    this.#isAnnounced = true;
    this.#isHeld = false;
    this.#countConnections(-1);
    Reflect.set(server, "_handle", null);
    Reflect.deleteProperty(server, "_pipeName");
    if (isTold) swallowNext(server, "listening");
    listen();
  }

  /** Lets a close go through: none of our connections is the server's any more. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#countConnections(-1);
    if (this.#server.listening) return;
    const announce: unknown = Reflect.get(this.#server, "_emitCloseIfDrained");
    if (typeof announce === "function") Reflect.apply(announce, this.#server, []);
  }

  #announce(): void {
    if (this.#isAnnounced || !this.#server.listening) return;
    this.#isAnnounced = true;
    this.#server.emit("listening");
  }

  #countConnections(change: 1 | -1): void {
    Reflect.set(
      this.#server,
      "_connections",
      Number(Reflect.get(this.#server, "_connections")) + change,
    );
  }
}

/** What the app asked for; where it asked for anything at all, what we have. */
function addressFor(asked: Asked, own: OwnAddress): string | AddressInfo {
  if (asked.kind === "path") return asked.path;
  if (asked.kind === "port" && asked.port > 0) return toAddress(asked.host ?? "::", asked.port);
  return "path" in own ? own.path : toAddress(own.host, own.port);
}

function toAddress(host: string, port: number): AddressInfo {
  const family = isIP(host);
  // A name, which only a real listen would look up.
  if (family === 0) return { address: "127.0.0.1", family: "IPv4", port };
  return { address: host, family: `IPv${family}`, port };
}

/** Keeps the next event of that name to itself. */
function swallowNext(server: Server, event: string): void {
  // Whoever watches apps may have put a method of its own there.
  const own = Object.getOwnPropertyDescriptor(server, "emit");
  const emit: unknown = Reflect.get(server, "emit");
  if (typeof emit !== "function") return;
  const pass = (...args: Parameters<Server["emit"]>): boolean => {
    if (args[0] !== event) return Reflect.apply(emit, server, args);
    if (own === undefined) Reflect.deleteProperty(server, "emit");
    else Object.defineProperty(server, "emit", own);
    return true;
  };
  Object.defineProperty(server, "emit", { configurable: true, writable: true, value: pass });
}

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Server } from "node:net";
import type { HealthReport } from "../snapshot.ts";
import type { StreamHandler } from "./streams.ts";

/** An app of whatever kind, as the HTTP engine and the worker see it. */
export interface App {
  /** It was found among the exports; otherwise it is the server that the module lets listen. */
  readonly isExported?: boolean;
  /** Whether a server answers with what is exported; undefined where its listeners do not tell. */
  readonly ownsServer?: ((server: Server) => boolean) | undefined;
  /** Answers one request; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Takes over a connection whose client asked for another protocol, and never throws; undefined when the app, once started, takes none. */
  readonly upgrade: UpgradeHandler | undefined;
  /** The same for the method CONNECT. */
  readonly connect?: UpgradeHandler | undefined;
  /** Takes the streams of HTTP/2 themselves; undefined when the app, once started, wants requests. */
  readonly streams?: StreamHandler | undefined;
  /** It decides itself whether a client that asks first may send its body. */
  readonly answersExpectations?: boolean;
  /** Whether an upgrade goes to `upgrade`; otherwise it is an ordinary request (always). */
  readonly wantsUpgrade?: ((request: IncomingMessage) => boolean) | undefined;
  /** Runs to the end before anything is published; rejects when the app cannot serve. */
  startup(): Promise<void>;
  /** Runs after the last request has ended. */
  shutdown(): Promise<void>;
  /** The app's own verdict; undefined when it gives none. */
  readonly health: (() => Promise<HealthReport>) | undefined;
}

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
/** The app's own, which may throw or return a promise that rejects. */
export type UpgradeHook = (request: IncomingMessage, socket: Duplex, head: Buffer) => unknown;
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => unknown;

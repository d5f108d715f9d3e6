import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import {
  findClient,
  findScheme,
  type Client,
  type ForwardedRequest,
  type Peer,
  type TrustedProxies,
} from "./forwarded.ts";
import { readRequestHeaders } from "./request-headers.ts";

/** Shared by name: an app may have an outrigger of its own in node_modules. */
const IDENTITY: unique symbol = Symbol.for("outrigger.identity");

/** A socket that apps look at; one of a TLS connection knows that it is encrypted. */
interface ShownSocket extends Peer {
  readonly encrypted?: boolean;
  [IDENTITY]?: Identity;
}

/** Whose requests a connection carries when its peer is trusted to speak for others. */
class Identity {
  /** Who is really there. */
  readonly peer: Peer;
  readonly #trusted: TrustedProxies;
  #request: IncomingMessage | undefined;
  /** The request whose client is known already. */
  #known: IncomingMessage | undefined;
  #client: Client | undefined;
  #isPipelined = false;

  constructor(peer: Peer, trusted: TrustedProxies) {
    this.peer = peer;
    this.#trusted = trusted;
  }

  /** Several requests at once may be of several clients, and a socket cannot tell which is asked about: from then on it names none. */
  begin(request: IncomingMessage, isPipelined: boolean): void {
    this.#request = request;
    if (isPipelined) this.#isPipelined = true;
  }

  get client(): Client | undefined {
    const request = this.#current;
    if (request === this.#known) return this.#client;
    this.#client = request && findClient(this.#forwarded(request));
    this.#known = request;
    return this.#client;
  }

  get isEncrypted(): boolean {
    const request = this.#current;
    return request !== undefined && findScheme(this.#forwarded(request)) === "https";
  }

  get #current(): IncomingMessage | undefined {
    return this.#isPipelined ? undefined : this.#request;
  }

  #forwarded({ rawHeaders }: IncomingMessage): ForwardedRequest {
    return { headers: readRequestHeaders(rawHeaders), peer: this.peer, trusted: this.#trusted };
  }
}

/** Worked out when an app asks; the very same functions on every socket, so that all have one shape. */
const SHOWN: PropertyDescriptorMap & ThisType<ShownSocket> = {
  remoteAddress: {
    configurable: true,
    get(): string | undefined {
      const identity = this[IDENTITY];
      const client = identity?.client;
      return client === undefined ? identity?.peer.remoteAddress : client.address;
    },
  },
  remotePort: {
    configurable: true,
    get(): number | undefined {
      const identity = this[IDENTITY];
      const client = identity?.client;
      return client === undefined ? identity?.peer.remotePort : client.port;
    },
  },
  remoteFamily: {
    configurable: true,
    get(): string | undefined {
      const { remoteAddress } = this;
      if (remoteAddress === undefined) return undefined;
      return isIPv6(remoteAddress) ? "IPv6" : "IPv4";
    },
  },
};

const SHOWN_ENCRYPTED: PropertyDescriptorMap & ThisType<ShownSocket> = {
  encrypted: {
    configurable: true,
    get(): true | undefined {
      // Absent on a plain connection, as on its socket.
      return this[IDENTITY]?.isEncrypted === true ? true : undefined;
    },
  },
};

/**
 * Lets a connection of a trusted peer name the client of its request where frameworks look:
 * `socket.remoteAddress`, `remotePort`, `remoteFamily`, and `encrypted` if the client speaks HTTPS.
 */
export function showClients(socket: object, trusted: TrustedProxies): void {
  const shown: ShownSocket = socket;
  const { remoteAddress, remotePort, encrypted } = shown;
  const peer = { remoteAddress, remotePort };
  if (!trusted.isTrusted(peer)) return;
  shown[IDENTITY] = new Identity(peer, trusted);
  Object.defineProperties(socket, SHOWN);
  if (encrypted !== true) Object.defineProperties(socket, SHOWN_ENCRYPTED);
}

/** Notes the request that a connection carries now; `isPipelined` when one before it is not answered yet. */
export function beginRequest(request: IncomingMessage, isPipelined: boolean): void {
  const socket: ShownSocket = request.socket;
  socket[IDENTITY]?.begin(request, isPipelined);
}

/** Whether the peer of a connection that is served is trusted to speak for others. */
export function isPeerTrusted(socket: object): boolean {
  const shown: ShownSocket = socket;
  return shown[IDENTITY] !== undefined;
}

/** Who is really at the other end of a connection, whoever it speaks for. */
export function peerOf(socket: object): Peer {
  const shown: ShownSocket = socket;
  return shown[IDENTITY]?.peer ?? shown;
}

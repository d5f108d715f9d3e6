import { EventEmitter } from "node:events";
import type { Phase } from "../lifecycle/phase.ts";
import type { Stopped } from "../supervisor/closing.ts";
import type { Started, Supervisor } from "../supervisor/supervisor.ts";
import type { Snapshot } from "../snapshot.ts";
import { toMilliseconds, type Duration } from "./duration.ts";

/** Files that an endpoint speaks TLS with. */
export interface TlsListenOptions {
  /** Path of the certificate and those between it and the root, PEM. */
  readonly cert: string;
  /** Path of its key, PEM. */
  readonly key: string;
  /** Path of the authorities whose certificates clients must show (clients are not asked). */
  readonly ca?: string;
  /** Whether clients must show one, or may (`require`). */
  readonly clientAuth?: "require" | "request";
  /** Least version (1.2). */
  readonly minVersion?: "1.2" | "1.3";
}

/** Where to listen: a string in the grammar of `--listen`, or one of its parts. */
export type ListenOptions =
  | string
  | {
      readonly host?: string;
      readonly port: number;
      readonly name?: string;
      readonly tls?: TlsListenOptions;
    }
  | {
      /** A path, whatever characters it holds. */
      readonly socket: string;
      /** Permission bits (0o660). */
      readonly socketMode?: number;
      /** Group by name or number. */
      readonly socketGroup?: string | number;
      readonly name?: string;
      readonly tls?: TlsListenOptions;
    };

export interface ServeOptions {
  /** A `(req, res)` handler, a framework instance, a `{ fetch }` object, or the module, folder or package to load it from. */
  readonly app: unknown;
  /** Endpoints for the app (127.0.0.1:8000). */
  readonly listen?: ListenOptions | readonly ListenOptions[];
  /** Where probes and metrics are served: `HOST:PORT` or host and port (off). */
  readonly ops?: string | { readonly host?: string; readonly port: number };
  /** How long the app may take to start; 0 is no limit (60s). */
  readonly startTimeout?: Duration;
  /** Time a `close` may take before what is left is cut: milliseconds or a string such as `30s` (30s). */
  readonly gracePeriod?: Duration;
  /** How long to keep accepting once readiness has failed (0). */
  readonly drainDelay?: Duration;
  /** How long a connection may stay idle (75s). */
  readonly keepAliveTimeout?: Duration;
  /** How long the head of a request may take (60s). */
  readonly headersTimeout?: Duration;
  /** How long a whole request may take to arrive; 0 is no limit (300s). */
  readonly requestTimeout?: Duration;
  /** Length of the kernel's accept queues (4096). */
  readonly backlog?: number;
  /** Connections per endpoint above which further ones are answered 503; 0 is no limit (0). */
  readonly maxConnections?: number;
  /** Size of request line and headers above which a request is answered 431, such as `32Ki` (16Ki). */
  readonly maxHeaderSize?: string;
  /** Headers above which a request is answered 431; 0 is no limit (1000). */
  readonly maxHeaders?: number;
  /** Size of the request line above which a request is answered 414 (8Ki). */
  readonly maxRequestLine?: string;
  /** Size of a body above which a request is answered 413, such as `10Mi`; 0 is no limit (0). */
  readonly maxBodySize?: string;
  /** Streams that a connection of HTTP/2 may have open at once (128). */
  readonly maxStreams?: number;
  /** Whose forwarded headers are believed: `unix`, addresses, CIDR ranges (`["unix"]`). */
  readonly trustedProxies?: readonly string[];
  /** Access log on standard output (off). */
  readonly accessLog?: "json" | "combined" | "off";
  /** Least level of log lines on standard output (silent). */
  readonly logLevel?: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
}

/** Events of a `Server`, with what their listeners are given. */
export interface ServeEvents {
  /** Readiness has failed, and connections are being drained. */
  draining: [];
  /** Everything is closed. */
  stopped: [outcome: Stopped];
  /** The file of a Unix socket is not ours any more. */
  socketLost: [endpoint: string];
  /** It is again. */
  socketRestored: [endpoint: string];
}

export interface CloseOptions {
  /** Overrides `gracePeriod`; in a second call it only moves the deadline nearer. */
  readonly gracePeriod?: Duration;
}

/** A running server; `serve` resolves to it when it is ready. */
export class Server extends EventEmitter<ServeEvents> {
  /** What was bound, by endpoint name: a path, `@name` or `host:port` with the real port. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Address of the ops endpoint; undefined when it is off. */
  readonly ops: { readonly host: string; readonly port: number } | undefined;
  readonly #supervisor: Supervisor;

  constructor(supervisor: Supervisor, { listeners, ops }: Started) {
    super();
    this.#supervisor = supervisor;
    this.ops = ops;
    this.addresses = Object.fromEntries(
      listeners.map(({ endpoint, address }) => [endpoint.name, address]),
    );
    void supervisor.stopped.then((outcome) => this.emit("stopped", outcome));
  }

  get phase(): Phase {
    return this.#supervisor.phase;
  }

  /** Open connections by endpoint name. */
  get connections(): Readonly<Record<string, number>> {
    const { endpoints } = this.snapshot();
    return Object.fromEntries(endpoints.map(({ name, counters }) => [name, counters.open]));
  }

  /** All that is known now, as probes and metrics see it. */
  snapshot(): Snapshot {
    return this.#supervisor.current();
  }

  /** Drains and closes everything, and removes the socket files; resolves to how that went. */
  async close({ gracePeriod }: CloseOptions = {}): Promise<Stopped> {
    return await this.#supervisor.stop(
      gracePeriod === undefined ? undefined : toMilliseconds(gracePeriod),
    );
  }
}

import { setTimeout as delay } from "node:timers/promises";
import type { Endpoint, TlsConfig } from "../config/config.ts";
import { describeError } from "../errors.ts";
import { Turns } from "../lifecycle/turns.ts";
import type { Logger } from "../log/logger.ts";
import type { TlsView } from "../snapshot.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import { readCredentials, type CheckedCredentials } from "../tls/read-credentials.ts";
import { FileWatch } from "../tls/watch-files.ts";

/** How often files that do not fit together are read again: who replaces a pair writes one after the other. */
const ATTEMPTS = 4;
const RETRY_MS = 250;

export interface CertificatesOptions {
  readonly endpoints: readonly Endpoint[];
  readonly log: Logger;
  /** Told of new credentials of an endpoint. */
  readonly onRenew: (endpoint: string, credentials: TlsCredentials) => void;
}

/** The credentials of every endpoint that speaks TLS: read at the start, and again when their files change. */
export class Certificates {
  readonly #log: Logger;
  readonly #entries: readonly Entry[];

  constructor({ endpoints, log, onRenew }: CertificatesOptions) {
    this.#log = log;
    this.#entries = endpoints.flatMap(({ name, kind, tls }) =>
      tls === undefined ? [] : [new Entry({ name, kind, tls, log, onRenew })],
    );
  }

  /** Reads all of them; rejects at the first that cannot be served with. */
  async load(): Promise<void> {
    for (const entry of this.#entries) await entry.load();
    for (const { options } of this.#entries) {
      if (options.kind !== "unix" && options.kind !== "abstract") continue;
      const advice =
        "permissions protect the socket already; the proxy in front of it can terminate TLS";
      this.#log.info({ endpoint: options.name, advice }, "tls on a unix socket");
    }
  }

  /** Reads all of them again, changed or not; resolves when that is done. */
  async reload(): Promise<void> {
    for (const entry of this.#entries) await entry.renew();
  }

  /** What workers are started with, by endpoint. */
  get current(): Readonly<Record<string, TlsCredentials>> {
    return Object.fromEntries(
      this.#entries.flatMap(({ options, checked }) =>
        checked === undefined ? [] : [[options.name, checked.credentials]],
      ),
    );
  }

  /** How things stand on an endpoint; undefined where it does not speak TLS. */
  view(endpoint: string): TlsView | undefined {
    const entry = this.#entries.find(({ options }) => options.name === endpoint);
    if (entry?.checked === undefined) return undefined;
    return { expiresAtMs: entry.checked.expiresAtMs, isCurrent: entry.isCurrent };
  }

  close(): void {
    for (const entry of this.#entries) entry.close();
  }
}

interface EntryOptions {
  readonly name: string;
  readonly kind: Endpoint["kind"];
  readonly tls: TlsConfig;
  readonly log: Logger;
  readonly onRenew: CertificatesOptions["onRenew"];
}

class Entry {
  readonly options: EntryOptions;
  checked: CheckedCredentials | undefined;
  /** The files as they are now are those in use. */
  isCurrent = true;
  #watch: FileWatch | undefined;
  #isClosed = false;
  readonly #turns = new Turns();

  constructor(options: EntryOptions) {
    this.options = options;
  }

  async load(): Promise<void> {
    const { cert, key, ca } = this.options.tls;
    const paths = [cert, key, ...(ca === undefined ? [] : [ca])];
    // Before the files are read: what changes in between is found by the next look.
    this.#watch = new FileWatch({ paths, onChange: () => this.renew() });
    await this.#watch.start();
    this.#take(await this.#read());
  }

  /** Takes over what the files hold now; what cannot be served with is told, and changes nothing. */
  renew(): Promise<void> {
    return this.#turns.take(() => this.#renew());
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
  }

  async #renew(): Promise<void> {
    const { name, log, onRenew } = this.options;
    const before = this.checked;
    try {
      const checked = await this.#readSettled();
      if (this.#isClosed) return;
      this.isCurrent = true;
      if (before !== undefined && isSame(checked, before)) return;
      this.#take(checked);
      onRenew(name, checked.credentials);
      log.info(
        { endpoint: name, expiresAt: formatTime(checked.expiresAtMs) },
        "certificate renewed",
      );
    } catch (error) {
      if (this.#isClosed) return;
      this.isCurrent = false;
      const expiresAt = before && formatTime(before.expiresAtMs);
      log.error(
        { endpoint: name, error: describeError(error), keptUntil: expiresAt },
        "new certificate cannot be used, the old one is kept",
      );
    }
  }

  async #readSettled(): Promise<CheckedCredentials> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#read();
      } catch (error) {
        if (attempt === ATTEMPTS || this.#isClosed) throw error;
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  #read(): Promise<CheckedCredentials> {
    const { name, tls } = this.options;
    return readCredentials({ endpoint: name, tls });
  }

  #take(checked: CheckedCredentials): void {
    this.checked = checked;
    const { name, log, tls } = this.options;
    const { expiresAtMs, validFromMs } = checked;
    const fields = { endpoint: name, file: tls.cert };
    if (expiresAtMs <= Date.now())
      log.warn({ ...fields, expiredAt: formatTime(expiresAtMs) }, "certificate has expired");
    if (validFromMs > Date.now())
      log.warn({ ...fields, validFrom: formatTime(validFromMs) }, "certificate is not valid yet");
  }
}

function isSame(
  { credentials: a }: CheckedCredentials,
  { credentials: b }: CheckedCredentials,
): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

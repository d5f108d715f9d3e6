import { watch, type FSWatcher } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Where events are missing, as on some network file systems and in some sandboxes. */
const POLL_INTERVAL_MS = 10_000;
/** Who writes two files does not write them at once. */
const SETTLE_MS = 100;

export interface WatchOptions {
  readonly paths: readonly string[];
  /** Called when what the paths lead to has changed; not again before it has resolved. */
  readonly onChange: () => Promise<void>;
  /** Time between two looks without an event, in milliseconds (10 s). */
  readonly pollIntervalMs?: number;
}

/**
 * Watches what a few paths lead to, also through symbolic links, which Kubernetes and certbot swap.
 * Folders are watched, not files: a file that was replaced has no more events.
 */
export class FileWatch {
  readonly #options: WatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #poll: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  #isLooking = false;
  #isClosed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#poll = setInterval(() => this.look(), options.pollIntervalMs ?? POLL_INTERVAL_MS).unref();
  }

  /** Takes what is there now for what is known, and begins to watch. */
  async start(): Promise<void> {
    this.#seen = await this.#identify();
    await this.#watchFolders();
  }

  /** Looks now whether anything has changed. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look().finally(() => (this.#isLooking = false));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #look(): Promise<void> {
    const now = await this.#identify();
    if (this.#isClosed || now === this.#seen) return;
    this.#seen = now;
    await this.#watchFolders();
    await this.#options.onChange();
    // What happened meanwhile had its event, which led to this very look.
    if (!this.#isClosed && (await this.#identify()) !== this.#seen) this.#lookSoon();
  }

  #lookSoon(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), SETTLE_MS).unref();
  }

  /** Folders of the paths, which hold the links, and those that they lead to. */
  async #watchFolders(): Promise<void> {
    const real = await Promise.all(
      this.#options.paths.map((path) => realpath(path).catch(() => path)),
    );
    if (this.#isClosed) return;
    const folders = new Set([...this.#options.paths, ...real].map((path) => dirname(path)));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watchFolder(folder);
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookSoon());
      // The folder is gone, or there are no more watches to be had: then polling has to do.
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // The same.
    }
  }

  async #identify(): Promise<string> {
    const files = await Promise.all(this.#options.paths.map(identify));
    return files.join("\n");
  }
}

/** Tells a file from one that takes its place, or whose contents have changed. */
async function identify(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, mode } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, mode].join(":");
  } catch {
    return "missing";
  }
}

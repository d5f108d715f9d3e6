import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Conversation } from "./conversation.ts";
import { formatGreeting, parseGreeting, type Greeting, type HolderState } from "./greeting.ts";
import { holdName, type HeldName } from "./held-name.ts";

const ANSWER_TIMEOUT_MS = 500;
/** What a live Outrigger that is to be relieved gets, whose loop an app may share. */
const PATIENT_TIMEOUT_MS = 3_000;
/** How long somebody else may stand in line who is about to go, one way or the other. */
const PASSING_MS = 3_000;
/** How long to wait for a name that is bound to listen. */
const RETRY_MS = 20;

/** What the holder of locks says of itself, and to whom it listens. */
export interface LockTalk {
  greet(): Greeting;
  /** Called with the first line of somebody who has something to say, whoever that is. */
  hear(line: string, conversation: Conversation): void;
}

/** Somebody else holds the lock, or is about to. */
export interface LockHolder {
  /** As its holder says, who may be anybody; undefined when it did not answer with one. */
  readonly pid: number | undefined;
}

/** Who it is, as far as that is known, for an error. */
export function tellPid({ pid }: LockHolder): string {
  return pid === undefined ? "which tells no pid" : `pid ${pid}, as it says`;
}

/** The abstract names that stand for one path. */
interface LockNames {
  readonly lock: string;
  /** The place in line. */
  readonly next: string;
}

/**
 * Keeps every other Outrigger away from a path for as long as this process lives.
 *
 * A lock is a Linux abstract socket, which the kernel frees when its owner dies, however it dies. It
 * is named after the directory itself (device and inode) rather than its path, because containers of
 * one pod share abstract names but mount different directories at the same path, and one directory
 * at different paths.
 *
 * A second name is the only place in line for it, and nobody tries the lock without standing there.
 * So a successor that stands there can wait until the lock goes free, and nobody comes in between.
 */
export class Lock {
  readonly #names: LockNames;
  readonly #talk: LockTalk;
  #lock: HeldName | undefined;
  #next: HeldName | undefined;
  /** What somebody is told who finds us in line. */
  #stateInLine: HolderState = "claiming";

  constructor(names: LockNames, talk: LockTalk) {
    this.#names = names;
    this.#talk = talk;
  }

  get isOurs(): boolean {
    return this.#lock !== undefined;
  }

  /** We stand in line behind its holder. */
  get isNext(): boolean {
    return this.#lock === undefined && this.#next !== undefined;
  }

  /** Where its holder is to be talked to. */
  get name(): string {
    return this.#names.lock;
  }

  /** Stands in line; false when somebody else does. */
  async standInLine(): Promise<boolean> {
    this.#next ??= await holdName(this.#names.next, {
      greet: () => formatGreeting({ ...this.#talk.greet(), state: this.#stateInLine }),
      hear: (_line, conversation) => conversation.close(),
    });
    return this.#next !== undefined;
  }

  /**
   * Stands in line as soon as those have gone who only pass through; resolves to who is there when
   * that one stays.
   */
  async waitInLine(): Promise<LockHolder | undefined> {
    const endMs = performance.now() + PASSING_MS;
    while (!(await this.standInLine())) {
      const other = Conversation.open(this.#names.next, Math.max(endMs - performance.now(), 0));
      const greeting = parseGreeting(await other.next());
      if (greeting?.state === "claiming") await other.closed;
      else other.cut();
      const isPassing = greeting === undefined || greeting.state === "claiming";
      // Its place is taken, but nobody listens yet.
      if (greeting === undefined) await delay(RETRY_MS);
      if (!isPassing || performance.now() >= endMs) return { pid: greeting?.pid };
    }
    return undefined;
  }

  /** Takes the lock, from the place in line, and leaves that; false when somebody has it. */
  async take(): Promise<boolean> {
    this.#lock ??= await holdName(this.#names.lock, {
      greet: () => formatGreeting(this.#talk.greet()),
      hear: (line, conversation) => this.#talk.hear(line, conversation),
    });
    if (this.#lock !== undefined) this.leaveLine();
    return this.#lock !== undefined;
  }

  /** Tells whoever asks that we stay in line until the lock is ours. */
  stayInLine(): void {
    this.#stateInLine = "succeeding";
  }

  leaveLine(): void {
    this.#next?.release();
    this.#next = undefined;
  }

  /** What the holder of the lock says of itself; undefined when it says nothing we know. */
  async askHolder(): Promise<Greeting | undefined> {
    return await ask(this.#names.lock, PATIENT_TIMEOUT_MS);
  }

  /** Frees it at once. Idempotent. */
  release(): void {
    this.#lock?.release();
    this.#lock = undefined;
    this.leaveLine();
  }
}

/** Takes the lock of a socket path. */
export async function acquireLock(
  publicPath: string,
  talk: LockTalk = SILENT,
): Promise<Lock | LockHolder> {
  const names = await namesOf(publicPath);
  const lock = new Lock(names, talk);
  if ((await lock.standInLine()) && (await lock.take())) return lock;
  lock.leaveLine();
  // Whoever stood in line may have the lock by now.
  for (const name of [names.lock, names.next, names.lock]) {
    const greeting = await ask(name, ANSWER_TIMEOUT_MS);
    if (greeting !== undefined) return { pid: greeting.pid };
  }
  return { pid: undefined };
}

/** Takes the lock of a socket path or, where somebody has it, the place in line. */
export async function joinLock(publicPath: string, talk: LockTalk): Promise<Lock | LockHolder> {
  const lock = new Lock(await namesOf(publicPath), talk);
  const other = await lock.waitInLine();
  if (other !== undefined) return other;
  if (!(await lock.take())) lock.stayInLine();
  return lock;
}

const SILENT: LockTalk = {
  greet: () => ({
    pid: process.pid,
    state: "starting",
    id: "0".repeat(32),
    endpoints: 1,
    unix: 1,
    opsPort: undefined,
    probePort: undefined,
  }),
  hear: (_line, conversation) => conversation.close(),
};

/**
 * Who holds the lock of a socket path, without standing in line for it; undefined when nobody in our
 * network namespace does.
 */
export async function findLockHolder(publicPath: string): Promise<LockHolder | undefined> {
  const { lock } = await namesOf(publicPath);
  const table = await readFile("/proc/net/unix", "latin1").catch(() => "");
  // The kernel shows the leading NUL as an @.
  if (!table.includes(` @${lock.slice(1)}\n`)) return undefined;
  return { pid: (await ask(lock, ANSWER_TIMEOUT_MS))?.pid };
}

async function ask(name: string, withinMs: number): Promise<Greeting | undefined> {
  const conversation = Conversation.open(name, withinMs);
  const greeting = parseGreeting(await conversation.next());
  conversation.cut();
  return greeting;
}

async function namesOf(publicPath: string): Promise<LockNames> {
  const directory = await stat(dirname(publicPath), { bigint: true });
  const identity = `${directory.dev}:${directory.ino}/${basename(publicPath)}`;
  const digest = createHash("sha256").update(identity).digest("hex").slice(0, 32);
  return { lock: `\0outrigger:${digest}`, next: `\0outrigger:${digest}:next` };
}

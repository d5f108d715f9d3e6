import { randomBytes } from "node:crypto";
import { Turns } from "../lifecycle/turns.ts";
import type { Conversation } from "./conversation.ts";
import type { Greeting, HolderState } from "./greeting.ts";
import type { Listener } from "./listener.ts";
import type { LockTalk } from "./lock.ts";
import { UnixListener } from "./unix.ts";

/** How long a successor may take between our word and its own; the guard looks away meanwhile. */
const SWITCH_MS = 3_000;
/** How long it may take to undo what it began. */
const UNDO_MS = 2_000;
/** How long it may take to let go of the ops port. */
const GOODBYE_MS = 5_000;
const TAKEOVER = /^takeover (\d{1,7})$/;

/** What follows for the one who is taken over. */
export interface TakeoverTerms {
  /** Port of the ops endpoint; undefined when there is none. */
  readonly opsPort: () => number | undefined;
  /** The same of the probe port. */
  readonly probePort: () => number | undefined;
  /** It is certain: every path leads to the successor. */
  readonly onTakenOver: (successor: { readonly pid: number }) => void;
  /** Frees the ops port, which the successor wants. */
  readonly letGoOfOps: () => Promise<void>;
  /** A successor broke off, and the path leads to us again. */
  readonly onRecovered: (listener: Listener) => void;
}

/**
 * Speaks for the one who serves with those who come to its locks, and hands the paths over to a
 * successor. Anybody in the network namespace can say anything here. So nothing is believed: what
 * counts is that every path leads to a live socket which is not ours, and only who may write into
 * their directories can have done that.
 */
export class Incumbent implements LockTalk {
  readonly #id = randomBytes(16).toString("hex");
  readonly #listeners: () => readonly Listener[];
  #state: HolderState = "starting";
  #terms: TakeoverTerms | undefined;
  /** One at a time; the others wait until their own time is up. */
  readonly #turns = new Turns();
  #isTakenOver = false;

  constructor(listeners: () => readonly Listener[]) {
    this.#listeners = listeners;
  }

  /** From now on somebody may take over. */
  serve(terms: TakeoverTerms): void {
    this.#terms = terms;
    this.#state = "ready";
  }

  /** Says that it ends; until then somebody still may. */
  drain(): void {
    this.#state = "draining";
  }

  greet(): Greeting {
    const listeners = this.#listeners();
    return {
      pid: process.pid,
      state: this.#state,
      id: this.#id,
      endpoints: listeners.length,
      unix: listeners.filter((listener) => listener instanceof UnixListener).length,
      opsPort: this.#terms?.opsPort(),
      probePort: this.#terms?.probePort(),
    };
  }

  hear(line: string, conversation: Conversation): void {
    const [, pid] = TAKEOVER.exec(line) ?? [];
    const terms = this.#terms;
    if (pid === undefined || terms === undefined || this.#isTakenOver) {
      conversation.close();
      return;
    }
    this.#turns
      .take(() => this.#negotiate(conversation, terms, Number(pid)))
      .catch(() => conversation.cut());
  }

  async #negotiate(conversation: Conversation, terms: TakeoverTerms, pid: number): Promise<void> {
    const paths = this.#listeners().filter((listener) => listener instanceof UnixListener);
    if (this.#isTakenOver || paths.length < this.#listeners().length) {
      conversation.close();
      return;
    }
    const releases = await Promise.all(paths.map((listener) => listener.hold()));
    try {
      conversation.limit(SWITCH_MS);
      conversation.say("go");
      const line = await conversation.next();
      const isTaken = line === "taken" || line === "taken ops";
      if (!isTaken || !(await areSucceeded(paths))) {
        await this.#recover(conversation, paths, terms);
        return;
      }
      this.#isTakenOver = true;
      for (const listener of paths) listener.handOver();
      terms.onTakenOver({ pid });
      conversation.limit(GOODBYE_MS);
      conversation.say("yielded");
      if (line === "taken ops") {
        await terms.letGoOfOps();
        conversation.say("ops-free");
      }
      conversation.close();
    } finally {
      for (const release of releases) release();
    }
  }

  /** Nothing has changed hands: whoever died on the way there may have left its socket in our place. */
  async #recover(
    conversation: Conversation,
    paths: readonly UnixListener[],
    terms: TakeoverTerms,
  ): Promise<void> {
    conversation.limit(UNDO_MS);
    conversation.say("refused");
    // One that lives gives back what it took, and hangs up.
    await conversation.closed;
    for (const listener of paths) {
      if (await listener.recover()) terms.onRecovered(listener);
    }
  }
}

async function areSucceeded(paths: readonly UnixListener[]): Promise<boolean> {
  for (const listener of paths) if (!(await listener.isSucceeded())) return false;
  return true;
}

import { Conversation } from "./conversation.ts";
import { parseGreeting } from "./greeting.ts";
import { refuseTakeover, type Predecessor } from "./succession.ts";
import type { UnixListener } from "./unix.ts";

/** One conversation may be cut because we were too slow, or wait behind one of a stranger. */
const ATTEMPTS = 3;
const ATTEMPT_MS = 10_000;

export interface ChangeHandsOptions {
  /** Every one of them stands in line behind the predecessor. */
  readonly heirs: readonly UnixListener[];
  readonly predecessor: Predecessor;
  /** We wait for its ops port. */
  readonly wantsOps: boolean;
  /** Rejects unless every public name leads to our workers. */
  readonly verify: () => Promise<void>;
}

/** How a takeover came about. */
export interface Handover {
  /** Resolves when the predecessor has let go of its ops port, or is gone. */
  readonly opsFree: Promise<void>;
}

/**
 * Takes the public names from a live Outrigger, all of them or none, and then its locks. What is
 * certain is told only when it is done, and its end of the connection is all that is waited for.
 * Rejects with everything given back.
 */
export async function changeHands(options: ChangeHandsOptions): Promise<Handover> {
  const { heirs } = options;
  const [first] = heirs;
  if (first === undefined) return { opsFree: Promise.resolve() };
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const handover = (await inherit(options)) ?? (await askFor(first, options));
      if (handover !== undefined) return handover;
    }
    throw refuseTakeover(first.address, "the one that serves it does not answer any more");
  } catch (error) {
    await giveBack(heirs);
    throw error;
  }
}

/** The predecessor may be gone: then the locks are free. */
async function inherit({ heirs }: ChangeHandsOptions): Promise<Handover | undefined> {
  if (!(await takeLocks(heirs))) return undefined;
  for (const heir of heirs) await heir.publish();
  return { opsFree: Promise.resolve() };
}

/** Undefined when the conversation ended before its time. */
async function askFor(
  first: UnixListener,
  options: ChangeHandsOptions,
): Promise<Handover | undefined> {
  const conversation = Conversation.open(first.lock.name, ATTEMPT_MS);
  try {
    if (!(await isGranted(conversation, first, options))) {
      conversation.cut();
      return undefined;
    }
  } catch (error) {
    // The other side looks at its names when we hang up.
    await giveBack(options.heirs);
    conversation.cut();
    throw error;
  }
  // There is no way back. Where somebody who is not one of us has a lock, our place in line serves as well.
  await takeLocks(options.heirs).catch(() => {});
  return { opsFree: conversation.next().then(() => conversation.cut()) };
}

/** True once all is ours, false when the other side broke off. */
async function isGranted(
  conversation: Conversation,
  { address }: UnixListener,
  { heirs, predecessor, wantsOps, verify }: ChangeHandsOptions,
): Promise<boolean> {
  const greeting = parseGreeting(await conversation.next());
  if (greeting === undefined) return false;
  if (greeting.id !== predecessor.id) {
    throw refuseTakeover(address, "another outrigger serves it by now");
  }
  conversation.say(`takeover ${process.pid}`);
  if ((await conversation.next()) !== "go") return false;
  for (const heir of heirs) await heir.takeOver();
  await verify();
  conversation.say(wantsOps ? "taken ops" : "taken");
  const verdict = await conversation.next();
  if (verdict === undefined || verdict === "yielded") return verdict === "yielded";
  throw refuseTakeover(address, "the one that serves it does not find us there");
}

/** What cannot be given back is taken back by the other side, once we do not stand in line any more. */
async function giveBack(heirs: readonly UnixListener[]): Promise<void> {
  for (const heir of heirs.toReversed()) {
    await heir.undoTakeOver().catch(() => heir.lock.release());
  }
}

async function takeLocks(heirs: readonly UnixListener[]): Promise<boolean> {
  let isAll = true;
  for (const heir of heirs) isAll = (await heir.settle()) && isAll;
  return isAll;
}

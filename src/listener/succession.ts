import type { UnixEndpoint } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import { checkDirectory } from "./inspect-path.ts";
import type { Greeting } from "./greeting.ts";
import { joinLock, Lock, tellPid, type LockTalk } from "./lock.ts";

/** The live Outrigger whose place is to be taken. */
export type Predecessor = Pick<Greeting, "pid" | "id" | "opsPort" | "probePort">;

/** The locks of all paths, each ours or with our place in line for it. */
export interface Succession {
  readonly locks: ReadonlyMap<string, Lock>;
  /** Undefined when nobody has any of the paths. */
  readonly predecessor: Predecessor | undefined;
}

/**
 * Takes the locks of paths, or the places in line where one live Outrigger has them. Rejects, with
 * all of them given back, unless that one can be relieved of everything it serves.
 */
export async function joinLocks(
  endpoints: readonly UnixEndpoint[],
  talk: LockTalk,
): Promise<Succession> {
  const locks = new Map<string, Lock>();
  try {
    // In an order that all agree on: of two who want the same paths one must get them all.
    for (const path of endpoints.map((endpoint) => endpoint.path).toSorted()) {
      await checkDirectory(path);
      locks.set(path, await joinOne(path, talk));
    }
    return { locks, predecessor: await findPredecessor(locks) };
  } catch (error) {
    for (const lock of locks.values()) lock.release();
    throw error;
  }
}

/** An error for a takeover that is not possible, or not any more. */
export function refuseTakeover(path: string, reason: string, cause?: unknown): OutriggerError {
  return new OutriggerError(
    "ERR_LISTEN",
    `Cannot take over ${path}: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}

async function joinOne(path: string, talk: LockTalk): Promise<Lock> {
  const lock = await joinLock(path, talk);
  if (lock instanceof Lock) return lock;
  throw refuseTakeover(path, `another process is taking it over already (${tellPid(lock)})`);
}

async function findPredecessor(locks: ReadonlyMap<string, Lock>): Promise<Predecessor | undefined> {
  const held = [...locks].filter(([, lock]) => lock.isNext);
  let first: { readonly path: string; readonly greeting: Greeting } | undefined;
  for (const [path, lock] of held) {
    const greeting = await askHolder(path, lock);
    first ??= { path, greeting };
    if (greeting.id === first.greeting.id) continue;
    throw refuseTakeover(
      path,
      `it and ${first.path} belong to two processes; stop one of them first`,
    );
  }
  if (first !== undefined) assertComplete(first.path, first.greeting, held.length);
  return first?.greeting;
}

async function askHolder(path: string, lock: Lock): Promise<Greeting> {
  const greeting = await lock.askHolder();
  if (greeting === undefined) {
    const reason =
      "the process that holds its lock does not answer as an outrigger of this version";
    throw refuseTakeover(path, `${reason}; stop that one first`);
  }
  if (greeting.state === "ready" || greeting.state === "draining") return greeting;
  const reason = `outrigger with pid ${greeting.pid}, as it says, is not ready yet`;
  throw refuseTakeover(path, `${reason}; try again when it is`);
}

function assertComplete(path: string, { pid, endpoints, unix }: Greeting, taken: number): void {
  const who = `outrigger with pid ${pid}, as it says,`;
  if (endpoints > unix) {
    throw refuseTakeover(
      path,
      `${who} serves TCP, abstract or handed endpoints too, which cannot change hands; stop that one first`,
    );
  }
  if (unix === taken) return;
  const reason = `serves ${unix} socket paths, and all of them change hands or none`;
  throw refuseTakeover(path, `${who} ${reason}; name all ${unix}, or stop that one first`);
}

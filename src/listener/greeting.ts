/**
 * What holders of a lock say of themselves, in one line such as
 * `outrigger/1 pid=4711 state=ready id=90a1… endpoints=2 unix=2 ops=9464 probe=9465`. Keys that are not known
 * are passed over, so that a version may add some.
 */

/** The version of all that is said through a lock. */
const VERSION = 1;

/**
 * `starting` while it does not serve yet; `succeeding` when it stands behind a live one whose place
 * it is going to take.
 */
const STATES = ["claiming", "starting", "succeeding", "ready", "draining"] as const;
export type HolderState = (typeof STATES)[number];

/** The one who holds a lock, as it says itself; it may be anybody. */
export interface Greeting {
  readonly pid: number;
  readonly state: HolderState;
  /** The same for all locks of one instance. */
  readonly id: string;
  /** Endpoints of the app it serves. */
  readonly endpoints: number;
  /** How many of them are Unix paths. */
  readonly unix: number;
  /** Port of its ops endpoint; undefined when it has none. */
  readonly opsPort: number | undefined;
  /** The port it has for load balancers that only connect; undefined when it has none. */
  readonly probePort: number | undefined;
}

export function formatGreeting(greeting: Greeting): string {
  const { pid, state, id, endpoints, unix, opsPort, probePort } = greeting;
  const ops = opsPort === undefined ? "" : ` ops=${opsPort}`;
  const probe = probePort === undefined ? "" : ` probe=${probePort}`;
  return `outrigger/${VERSION} pid=${pid} state=${state} id=${id} endpoints=${endpoints} unix=${unix}${ops}${probe}`;
}

/** Reads such a line; undefined when it is none, or one of another version. */
export function parseGreeting(line: string | undefined): Greeting | undefined {
  const [product, ...words] = (line ?? "").split(" ");
  if (product !== `outrigger/${VERSION}`) return undefined;
  const values = new Map(words.map((word) => splitOnce(word)));
  const pid = parseNumber(values.get("pid"));
  const endpoints = parseNumber(values.get("endpoints"));
  const unix = parseNumber(values.get("unix"));
  const state = STATES.find((known) => known === values.get("state"));
  const id = /^[0-9a-f]{32}$/.exec(values.get("id") ?? "")?.[0];
  if (pid === undefined || endpoints === undefined || unix === undefined) return undefined;
  if (state === undefined || id === undefined) return undefined;
  const [opsPort, probePort] = [parseNumber(values.get("ops")), parseNumber(values.get("probe"))];
  return { pid, state, id, endpoints, unix, opsPort, probePort };
}

function splitOnce(word: string): readonly [string, string] {
  const at = word.indexOf("=");
  return at === -1 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
}

function parseNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,7}$/.test(text) ? Number(text) : undefined;
}

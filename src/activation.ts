/** The first descriptor that is handed over. */
export const FIRST_HANDED_DESCRIPTOR = 3;

/** Variables by which a process is told of sockets that it was handed (sd_listen_fds(3)). */
export const ACTIVATION_VARIABLES = [
  "LISTEN_FDS",
  "LISTEN_PID",
  "LISTEN_FDNAMES",
  "LISTEN_PIDFDID",
] as const;

/** A descriptor that was handed over. */
export interface HandedDescriptor {
  readonly descriptor: number;
  /** Several may have the same; undefined where they came without names. */
  readonly name: string | undefined;
}

/** What those variables come to: descriptors, none, or why there are none for us. */
export type Activation =
  | { readonly kind: "handed"; readonly descriptors: readonly HandedDescriptor[] }
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly reason: string };

/** Reads what was handed to the process with this pid. */
export function readActivation(
  env: Readonly<Partial<Record<(typeof ACTIVATION_VARIABLES)[number], string | undefined>>>,
  pid: number,
): Activation {
  const { LISTEN_FDS: fds, LISTEN_PID: meant, LISTEN_FDNAMES: names } = env;
  if (fds === undefined || fds === "") return { kind: "none" };
  const count = /^\d{1,5}$/.test(fds) ? Number(fds) : 0;
  if (count === 0) return refuse(`LISTEN_FDS is "${fds}", expected a number above 0`);
  if (meant !== String(pid)) {
    const who = meant === undefined ? "and LISTEN_PID is not set" : `for process ${meant}`;
    return refuse(
      `sockets were handed over ${who}, and we are process ${pid}; start us without a process in between`,
    );
  }
  const named = names === undefined || names === "" ? [] : names.split(":");
  if (named.length > 0 && named.length !== count) {
    return refuse(`LISTEN_FDNAMES has ${named.length} names for ${count} sockets`);
  }
  const descriptors = Array.from({ length: count }, (_, index) => ({
    descriptor: FIRST_HANDED_DESCRIPTOR + index,
    name: named[index],
  }));
  return { kind: "handed", descriptors };
}

function refuse(reason: string): Activation {
  return { kind: "refused", reason };
}

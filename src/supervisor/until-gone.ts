import { settledBefore } from "../lifecycle/deadline.ts";
import { statPath } from "../listener/file-identity.ts";

const LOOK_INTERVAL_MS = 100;

/**
 * Resolves `true` when no file is at the path any more, `false` when the signal aborts before. Not
 * by inotify: some sandboxes do not pass it on from one container to another.
 */
export async function untilGone(path: string, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void =>
    void statPath(path).then(
      (stats) => stats === undefined && resolve(),
      () => {},
    );
  const timer = setInterval(look, LOOK_INTERVAL_MS);
  look();
  try {
    return await settledBefore(promise, signal);
  } finally {
    clearInterval(timer);
  }
}

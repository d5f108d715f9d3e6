import { setTimeout as delay } from "node:timers/promises";

/** Settles as `promise` does, or rejects with a sentence that names `what` after `deadlineMs`. */
export async function within<T>(deadlineMs: number, promise: Promise<T>, what: string): Promise<T> {
  const timer = new AbortController();
  const expired = delay(deadlineMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`);
  });
  expired.catch(() => {});
  try {
    return await Promise.race([promise, expired]);
  } finally {
    timer.abort();
  }
}

/**
 * Resolves with the first answer of `probe` that is not undefined. For facts nobody announces, such as the
 * rows of /proc: whatever has an event is awaited by its event.
 */
export async function eventually<T>(
  deadlineMs: number,
  probe: () => T | undefined | Promise<T | undefined>,
  what: string,
): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() >= endMs) throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`);
    await delay(10);
  }
}

/**
 * Gives an app a `process.send()`, as PM2 does: its word "ready" resolves the promise, and all else goes
 * nowhere. An app calls it without looking whether it is there.
 */
export function offerReadySignal(host: NodeJS.Process): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  host.send = (message: unknown, ...rest: unknown[]): boolean => {
    if (message === "ready") resolve();
    const onSent = rest.at(-1);
    if (typeof onSent === "function")
      process.nextTick(() => void Reflect.apply(onSent, host, [null]));
    return true;
  };
  return promise;
}

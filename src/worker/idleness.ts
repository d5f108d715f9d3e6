/** Tells when nothing in the process has anything left to do, which is when Node would end it. */
export interface Idleness {
  /** Resolves at the next such moment; until `end`, our own channel does not count. */
  begin(): Promise<void>;
  end(): void;
}

/** The idleness of a process whose supervisor is at the other end of its channel. */
export function watchIdleness(host: NodeJS.Process): Idleness {
  let stop = (): void => {};
  return {
    begin() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const onIdle = (): void => {
        // From here on the process ends, unless something keeps it alive again.
        stop();
        resolve();
      };
      stop = (): void => {
        host.off("beforeExit", onIdle);
        host.channel?.ref();
      };
      host.once("beforeExit", onIdle);
      host.channel?.unref();
      return promise;
    },
    end: () => stop(),
  };
}

/** Tells when nothing in the process has anything left to do, which is when Node would end it. */
export interface Idleness {
  /** Resolves at the next such moment; until `end`, our own channel does not count. */
  begin(): Promise<void>;
  end(): void;
}

/** The idleness of a process whose supervisor is at the other end of its channel. */
export function watchIdleness(host: NodeJS.Process): Idleness {
  let onIdle: (() => void) | undefined;
  const end = (): void => {
    if (onIdle !== undefined) host.off("beforeExit", onIdle);
    host.channel?.ref();
  };
  return {
    begin() {
      const { promise, resolve } = Promise.withResolvers<void>();
      onIdle = () => {
        // From here on the process ends, unless something keeps it alive again.
        end();
        resolve();
      };
      host.once("beforeExit", onIdle);
      host.channel?.unref();
      return promise;
    },
    end,
  };
}

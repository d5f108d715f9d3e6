/** A promise together with the functions that settle it. */
export type Deferred<T> = ReturnType<typeof Promise.withResolvers<T>>;

/** Creates a promise that somebody else settles; a rejection nobody awaits is not an error. */
export function createDeferred<T>(): Deferred<T> {
  const deferred = Promise.withResolvers<T>();
  deferred.promise.catch(() => {});
  return deferred;
}

/** Runs steps one after the other, in the order they were asked for, whatever becomes of those before. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<Result>(step: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(step);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Resolves when it is our turn, which lasts until the returned function is called. */
  async hold(): Promise<() => void> {
    const held = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    void this.take(async () => {
      held.resolve();
      await released.promise;
    });
    await held.promise;
    return () => released.resolve();
  }
}

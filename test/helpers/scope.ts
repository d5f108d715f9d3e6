/** What owns a resource of a test: a `TestContext`, or `{ after }` of node:test for a whole suite. */
export interface Scope {
  after(cleanup: () => Promise<void>): void;
}

const cleanups = new WeakMap<Scope, (() => unknown)[]>();

/** Runs `cleanup` when the scope ends; what was opened last is closed first. */
export function onEnd(scope: Scope, cleanup: () => unknown): void {
  const known = cleanups.get(scope);
  if (known !== undefined) {
    known.push(cleanup);
    return;
  }
  const stack = [cleanup];
  cleanups.set(scope, stack);
  scope.after(() => unwind(stack));
}

async function unwind(stack: (() => unknown)[]): Promise<void> {
  const failures: unknown[] = [];
  for (let cleanup = stack.pop(); cleanup !== undefined; cleanup = stack.pop()) {
    try {
      await cleanup();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, "Several cleanups failed");
}

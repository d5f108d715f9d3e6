import { createRequire } from "node:module";

/**
 * Makes a module look as if `node` ran it, for apps that ask: `require.main === module` holds in it,
 * and `process.argv[1]` is its path. `import.meta.main` cannot be helped.
 */
export function pretendMain(path: string): void {
  process.argv[1] = path;
  const { cache } = createRequire(import.meta.url);
  // Node looks here each time it makes a `require`, when the module is in the cache already.
  Object.defineProperty(process, "mainModule", { configurable: true, get: () => cache[path] });
}

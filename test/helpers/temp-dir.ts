import { mkdtemp, rm } from "node:fs/promises";
import { onEnd, type Scope } from "./scope.ts";

// Not os.tmpdir(): a Unix socket's path must stay under 108 bytes.
const PREFIX = "/tmp/or-";

/** Creates a directory with a short path that is gone when the scope ends. */
export async function tempDir(scope: Scope): Promise<string> {
  const dir = await mkdtemp(PREFIX);
  onEnd(scope, () => remove(dir));
  return dir;
}

/** Calls `use` with a directory that is gone when it returns. */
export async function withTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(PREFIX);
  try {
    return await use(dir);
  } finally {
    await remove(dir);
  }
}

function remove(dir: string): Promise<void> {
  return rm(dir, { recursive: true, force: true, maxRetries: 3 });
}

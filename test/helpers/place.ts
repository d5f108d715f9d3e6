import { join } from "node:path";
import type { Scope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";

/** A folder of one's own and the path of a socket in it. */
export interface Place {
  readonly dir: string;
  readonly path: string;
}

export async function makePlace(scope: Scope): Promise<Place> {
  const dir = await tempDir(scope);
  return { dir, path: join(dir, "app.sock") };
}

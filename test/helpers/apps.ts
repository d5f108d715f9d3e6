import { fileURLToPath } from "node:url";

/** Path of one of the apps under test/fixtures/apps. */
export function appPath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/apps/${name}`, import.meta.url));
}

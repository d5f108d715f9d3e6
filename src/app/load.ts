import { stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { OutriggerError } from "../errors.ts";
import { findStartFile } from "./start-script.ts";
import { locateSyntaxError } from "./syntax-error.ts";

/** Names a module exports, those of a CommonJS or default-exported object included. */
export type AppModule = Readonly<Record<string, unknown>>;

/**
 * Imports the app's module and starts nothing.
 *
 * @param path What `findApp` found.
 * @throws What the module itself throws.
 */
export async function importApp(path: string): Promise<AppModule> {
  const namespace = await importModule(pathToFileURL(path).href);
  const { default: main } = namespace;
  return isPlainObject(main) ? { ...main, ...namespace } : namespace;
}

/**
 * Finds the file of the app's module.
 *
 * @param entry A file, a folder or a package name.
 * @param cwd Where relative entries and packages are looked for.
 * @throws `ERR_APP` when there is no such module.
 */
export async function findApp(entry: string, cwd: string): Promise<string> {
  const path = resolve(cwd, entry);
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isFile()) return path;
  const isPath = stats !== undefined || entry.startsWith(".") || isAbsolute(entry);
  try {
    return createRequire(join(cwd, "_")).resolve(isPath ? path : entry);
  } catch (error) {
    const started = stats === undefined ? undefined : await findStartFile(path);
    if (started !== undefined) return started;
    throw new OutriggerError(
      "ERR_APP",
      `Cannot find app "${entry}": ${whatIsMissing(stats !== undefined, isPath)}`,
      { cause: error },
    );
  }
}

async function importModule(url: string): Promise<AppModule> {
  try {
    const namespace: AppModule = await import(url);
    return namespace;
  } catch (error) {
    const isBare = error instanceof SyntaxError && error.stack?.startsWith(error.name);
    throw isBare ? await locateSyntaxError(error, url) : error;
  }
}

function whatIsMissing(exists: boolean, isPath: boolean): string {
  if (exists)
    return "the folder has no index.js, and its package.json names neither a main file nor a start script";
  if (isPath) return "no such file or folder; expected a module, a folder or a package name";
  return "no such file, and no installed package of that name; expected a module, a folder or a package name";
}

/** Only object literals and CommonJS exports: an instance of a class keeps its members to itself. */
function isPlainObject(value: unknown): value is AppModule {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { OutriggerError } from "../errors.ts";

/**
 * The file that `npm start` of a folder runs; undefined when its package.json has no start script.
 *
 * @throws `ERR_APP` when the script is anything but `node FILE`.
 */
export async function findStartFile(folder: string): Promise<string | undefined> {
  const script = await readStartScript(join(folder, "package.json"));
  if (script === undefined) return undefined;
  const [command, file, ...rest] = script.trim().split(/\s+/);
  if (command === "node" && file !== undefined && !file.startsWith("-") && rest.length === 0)
    return join(folder, file);
  throw new OutriggerError(
    "ERR_APP",
    `Cannot start app "${folder}" by its start script "${script}": expected "node FILE"; ` +
      "name the file instead, and give flags of Node in NODE_OPTIONS",
  );
}

async function readStartScript(path: string): Promise<string | undefined> {
  const manifest: unknown = JSON.parse(await readFile(path, "utf8").catch(() => "{}"));
  const scripts = isRecord(manifest) ? manifest["scripts"] : undefined;
  const start = isRecord(scripts) ? scripts["start"] : undefined;
  return typeof start === "string" ? start : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

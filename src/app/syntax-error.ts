import { spawnSync } from "node:child_process";
import { Session } from "node:inspector";
import { fileURLToPath } from "node:url";

/**
 * Says where a module that cannot be parsed goes wrong. Node keeps the file and line to itself when
 * an import is caught, so the import is tried again under the inspector, which names the file, and
 * the file is checked by itself, which shows the line. Nothing runs: a graph with such a module in
 * it is never evaluated.
 *
 * @returns An error whose stack begins with the place, or the same error when it cannot be found.
 */
export async function locateSyntaxError(
  error: SyntaxError,
  entryUrl: string,
): Promise<SyntaxError> {
  const url = await findUnparsable(entryUrl);
  if (url === undefined) return error;
  const path = fileURLToPath(url);
  const { stderr } = spawnSync(process.execPath, ["--check", path], { encoding: "utf8" });
  // The excerpt comes first, then a stack of Node's own.
  const [place = ""] = stderr.split("\n\n");
  const located = new SyntaxError(`${error.message} in ${path}`, { cause: error.cause });
  located.stack = `${place}\n${located.name}: ${error.message}`;
  return located;
}

async function findUnparsable(entryUrl: string): Promise<string | undefined> {
  const session = new Session();
  session.connect();
  let found: string | undefined;
  session.on("Debugger.scriptFailedToParse", ({ params }) => (found ??= params.url));
  session.post("Debugger.enable");
  try {
    // Under another name, for the loader remembers the failure of the first.
    await import(`${entryUrl}?syntax`);
  } catch {
    // As expected.
  } finally {
    session.disconnect();
  }
  return found?.startsWith("file:") ? found.replace(/\?syntax$/, "") : undefined;
}

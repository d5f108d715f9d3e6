import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Scope } from "./scope.ts";
import { fixture, serveApp, type Serving, type ServingOptions } from "./serving.ts";
import { tempDir } from "./temp-dir.ts";

/** The program with an app that the test writes, and may write again. */
export interface ServingFile extends Serving {
  /** Puts another version of the app in its place. */
  readonly rewrite: (code: string) => Promise<void>;
}

/** Serves an app of which this is the code. */
export async function serveCode(
  scope: Scope,
  code: string,
  options: ServingOptions = {},
): Promise<ServingFile> {
  const file = join(await tempDir(scope), "app.mjs");
  const rewrite = (version: string): Promise<void> => writeFile(file, version);
  await rewrite(code);
  return { ...(await serveApp(scope, relative(fixture("."), file), options)), rewrite };
}

/** An app that answers with this text. */
export function answering(text: string): string {
  return `export default (_req, res) => res.end(${JSON.stringify(text)});\n`;
}

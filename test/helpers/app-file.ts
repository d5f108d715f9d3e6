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

export interface CodeOptions extends ServingOptions {
  /** Name of the app's file, whose ending says what it is (app.mjs). */
  readonly file?: string;
}

/** Serves an app of which this is the code. */
export async function serveCode(
  scope: Scope,
  code: string,
  { file: name = "app.mjs", ...options }: CodeOptions = {},
): Promise<ServingFile> {
  const file = join(await tempDir(scope), name);
  const rewrite = (version: string): Promise<void> => writeFile(file, version);
  await rewrite(code);
  return { ...(await serveApp(scope, relative(fixture("."), file), options)), rewrite };
}

/** An app that answers with this text. */
export function answering(text: string): string {
  return `export default (_req, res) => res.end(${JSON.stringify(text)});\n`;
}

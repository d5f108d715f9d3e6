import { execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { findTool, type Tool } from "../tools.ts";

/** Paths of installed programs, and of the libraries they load. */
export function programFiles(tools: readonly Tool[]): readonly string[] {
  const programs = tools.map(locate);
  return [...new Set([...programs, ...programs.flatMap(librariesOf)])];
}

function locate(tool: Tool): string {
  const path = findTool(tool);
  if (path === undefined) throw new Error(`Cannot make base images: ${tool} is not installed`);
  return nameOf(path);
}

/** Shared libraries by the names under which the loader looks for them, and the files behind the links. */
function librariesOf(program: string): string[] {
  const listed = [...lddOf(program).matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  return listed.flatMap((path) => [nameOf(path), realpathSync(path)]);
}

/** /lib and /bin are links to folders below /usr; a path through one of them would become a folder in its place. */
function nameOf(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

/** A program without libraries makes ldd fail. */
function lddOf(program: string): string {
  try {
    return execFileSync("ldd", [program], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return "";
  }
}

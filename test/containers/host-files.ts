import { execFileSync } from "node:child_process";
import { lstatSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** Files of installed Debian packages, with the libraries that `programs` among them load, for tar. */
export function packageFiles(
  packages: readonly string[],
  programs: readonly string[],
): readonly string[] {
  const own = lines(execFileSync("dpkg", ["-L", ...packages], { encoding: "utf8" }))
    .filter((path) => path.startsWith("/") && isFile(path))
    .filter((path) => !/^\/usr\/share\/(doc|man|lintian|bug)\//.test(path));
  return [...new Set([...own, ...programs.flatMap(librariesOf)])];
}

/** Shared libraries by the names under which the loader looks for them, and the files behind the links. */
function librariesOf(program: string): string[] {
  const listed = [...lddOf(program).matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  return listed.flatMap((path) => {
    // /lib is a link to usr/lib: as a path through it, tar would make it a folder.
    const name = join(realpathSync(dirname(path)), path.slice(path.lastIndexOf("/") + 1));
    return [name, realpathSync(path)];
  });
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

function isFile(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat !== undefined && !stat.isDirectory();
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/**
 * `node test/containers/image.ts`: builds the image from docker/Dockerfile, once per state of the sources, and
 * prints the stores to read it from.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeBaseImages } from "./base-images.ts";
import { npmMounts } from "./npm-mounts.ts";
import { engineEnvironment, engineFiles, keepStore } from "./store.ts";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));
export const IMAGE = "localhost/outrigger:latest";
/** What the Dockerfile is given; the rest of the repository does not reach it. */
const SOURCES = [
  "docker/Dockerfile", ".dockerignore", "package.json", "package-lock.json", "tsconfig.json",
  "LICENSE", "CHANGELOG.md", "test/package.json", "src/**/*",
]; // prettier-ignore
/** Instead of the time of the build, so that the same sources make the same image. */
const TIMESTAMP = "0";

export interface BuildOptions {
  /** Name of the image. */
  readonly tag: string;
  readonly dockerfile: string;
  readonly context: string;
}

/** Arguments for buildah. HEALTHCHECK exists in Docker's format only. */
export function buildArguments(
  { tag, dockerfile, context }: BuildOptions,
  more: readonly string[] = [],
): readonly string[] {
  return [
    "build", "--pull-never", "--format=docker", `--timestamp=${TIMESTAMP}`, "--tag", tag,
    ...more, "--file", dockerfile, context,
  ]; // prettier-ignore
}

/** Stores that hold our image and those of others, the youngest first. */
export async function makeImage(): Promise<readonly string[]> {
  const base = await makeBaseImages();
  const store = await keepStore("image", hashSources(base), async (graphRoot) => {
    const dir = mkdtempSync("/tmp/or-image-");
    try {
      for (const [name, text] of engineFiles({ dir, graphRoot, imageStores: [base] }))
        writeFileSync(join(dir, name), text);
      const options = { tag: IMAGE, dockerfile: join(ROOT, "docker/Dockerfile"), context: ROOT };
      const args = buildArguments(options, npmMounts(dir));
      execFileSync("buildah", args, { env: engineEnvironment(dir), stdio: ["ignore", 2, 2] });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
  return [store, base];
}

function hashSources(base: string): string {
  const hash = createHash("sha256").update(base);
  for (const path of globSync(SOURCES, { cwd: ROOT, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted())
    hash.update(path.slice(ROOT.length)).update(readFileSync(path));
  return hash.digest("hex").slice(0, 12);
}

if (import.meta.main) console.log(JSON.stringify(await makeImage()));

import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";
import { startGroup, type ExitResult } from "./process-group.ts";
import type { Scope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** What a script has that was run on a machine of its own. */
export interface ScriptResult extends ExitResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** Options for a test that needs networks and mounts of its own, which a sandbox may forbid. */
export function needsOwnMachine(): { readonly skip: string | false } {
  const { status } = spawnSync("unshare", ["--net", "--mount", "true"], { stdio: "ignore" });
  return { skip: status !== 0 && "needs unshare --net --mount" };
}

/**
 * Runs a shell script where `outrigger` is installed and all ports are free: in a network of its own and
 * with a `/run` and an `/etc` that are thrown away. So commands of the documentation run as they are written.
 */
export async function runOnOwnMachine(scope: Scope, script: string): Promise<ScriptResult> {
  const dir = await tempDir(scope);
  const bin = join(dir, "node_modules", ".bin");
  await mkdir(bin, { recursive: true });
  await writeFile(join(dir, "app.js"), "export default (req, res) => res.end('hello\\n');\n");
  await writeFile(join(dir, "package.json"), '{ "name": "app", "type": "module" }\n');
  const launcher = `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`;
  await writeFile(join(bin, "outrigger"), launcher, { mode: 0o755 });
  await mkdir(join(dir, "etc"));
  await symlink(process.execPath, join(bin, "node"));
  const whole = [
    "set -e",
    "busybox ifconfig lo up",
    `cp -a /etc/. ${dir}/etc/`,
    `mount --bind ${dir}/etc /etc`,
    "mount -t tmpfs tmpfs /run",
    "mkdir -p /run/app /run/outrigger /etc/tls",
    `cd ${dir}`,
    script,
  ];
  const group = startGroup(scope, "unshare", {
    args: ["--net", "--mount", "sh", "-c", whole.join("\n")],
    env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` },
  });
  const [stdout, stderr, result] = await Promise.all([
    group.stdout.toArray(),
    group.stderr.toArray(),
    group.closed,
  ]);
  return { ...result, stdout: stdout.join(""), stderr: stderr.join("") };
}

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { PROGRAM } from "../helpers/program.ts";
import { onEnd } from "../helpers/scope.ts";

/** Where a group with a CPU quota can be made; undefined where the system does not let us. */
function findRoot(): { readonly root: string; readonly isV2: boolean } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const v1 = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"].find((root) =>
    existsSync(join(root, "cpu.cfs_quota_us")),
  );
  if (v1 !== undefined) return { root: v1, isV2: false };
  const root = "/sys/fs/cgroup";
  try {
    const granted = readFileSync(join(root, "cgroup.subtree_control"), "utf8");
    return granted.split(/\s+/).includes("cpu") ? { root, isV2: true } : undefined;
  } catch {
    return undefined;
  }
}

const found = findRoot();
const skip = found === undefined && "needs root and a cgroup hierarchy with the cpu controller";

/** Workers of `--workers auto` in a group of so many CPUs. */
function workersAt(t: TestContext, quota: number): number {
  const { root, isV2 } = found ?? { root: "", isV2: false };
  const group = join(root, `or-test-${process.pid}`);
  mkdirSync(group);
  onEnd(t, () => rmdirSync(group));
  const [file, value] = isV2
    ? ["cpu.max", `${quota * 100_000} 100000`]
    : ["cpu.cfs_quota_us", String(quota * 100_000)];
  writeFileSync(join(group, file), value);
  const script = `echo $$ > ${group}/cgroup.procs && exec "$@"`;
  const command = [process.execPath, PROGRAM, "app.js", "--workers", "auto", "--print-config"];
  const { stdout, stderr } = spawnSync("sh", ["-c", script, "sh", ...command], {
    encoding: "utf8",
  });
  const { workers } = JSON.parse(stdout || `{"workers":${JSON.stringify(stderr)}}`);
  return workers;
}

describe("--workers auto in a real cgroup", { skip }, () => {
  for (const [quota, wanted] of [
    [0.5, 1],
    [1, 1],
    [1.5, Math.min(2, cpus().length)],
  ] as const) {
    it(`is ${wanted} with ${quota} CPUs`, (t) => {
      assert.equal(workersAt(t, quota), wanted);
    });
  }
});

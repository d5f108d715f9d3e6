import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countCpus } from "../../src/cli/cpu-count.ts";

/** A mount of `type` with these super options, and of its hierarchy what is below `root`. */
function mount(type: string, directory: string, options = "rw", root = "/"): string {
  return `30 23 0:26 ${root} ${directory} rw,nosuid shared:4 - ${type} cgroup ${options}\n`;
}

const V2 = mount("cgroup2", "/sys/fs/cgroup");
const V1 = mount("cgroup", "/sys/fs/cgroup/cpu,cpuacct", "rw,cpu,cpuacct");

/** The count where the system has eight CPUs and these files. */
function count(files: Readonly<Record<string, string>>): number {
  const all: Readonly<Record<string, string>> = {
    "/proc/self/status": "Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n",
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": V2,
    ...files,
  };
  return countCpus((path) => {
    const text = all[path];
    if (text === undefined) throw new Error(`ENOENT: ${path}`);
    return text;
  }, 4);
}

describe("countCpus without a quota", () => {
  it("counts the CPUs we may run on", () => {
    assert.equal(count({}), 8);
    assert.equal(count({ "/proc/self/status": "Cpus_allowed_list:\t0-1,4,6-7\n" }), 5);
  });

  it("takes the fallback where the system does not say", () => {
    assert.equal(count({ "/proc/self/status": "" }), 4);
    const silent = (): string => {
      throw new Error("ENOENT");
    };
    assert.equal(countCpus(silent, 3), 3);
  });

  it("takes max and -1 for no limit", () => {
    assert.equal(count({ "/sys/fs/cgroup/cpu.max": "max 100000\n" }), 8);
    const files = {
      "/proc/self/cgroup": "4:cpu,cpuacct:/\n",
      "/proc/self/mountinfo": V1,
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    };
    assert.equal(count(files), 8);
  });
});

describe("countCpus with a quota", () => {
  for (const [quota, wanted] of [
    ["10000 100000", 1],
    ["50000 100000", 1],
    ["100000 100000", 1],
    ["140000 100000", 1],
    ["150000 100000", 2],
    ["200000 100000", 2],
    ["375000 150000", 3],
    ["1600000 100000", 8],
  ] as const) {
    // prettier-ignore
    it(`makes ${wanted} of ${quota}`, () => {
      assert.equal(count({ "/sys/fs/cgroup/cpu.max": `${quota}\n` }), wanted);
    });
  }

  it("takes the tightest limit from our own group up", () => {
    const files = {
      "/proc/self/cgroup": "0::/kubepods/pod1/app\n",
      "/sys/fs/cgroup/kubepods/pod1/app/cpu.max": "max 100000",
      "/sys/fs/cgroup/kubepods/pod1/cpu.max": "300000 100000",
      "/sys/fs/cgroup/kubepods/cpu.max": "600000 100000",
    };
    assert.equal(count(files), 3);
  });

  it("reads version 1 where it is mounted by its own name", () => {
    const files = {
      "/proc/self/cgroup": "2:memory:/app\n1:cpu:/app\n0::/\n",
      "/proc/self/mountinfo":
        mount("cgroup", "/sys/fs/cgroup/memory", "rw,memory") +
        mount("cgroup", "/sys/fs/cgroup/cpu", "rw,cpu") +
        mount("cgroup2", "/sys/fs/cgroup/unified"),
      "/sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": "200000\n",
      "/sys/fs/cgroup/cpu/app/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/memory/app/cpu.cfs_quota_us": "100000\n",
      "/sys/fs/cgroup/memory/app/cpu.cfs_period_us": "100000\n",
    };
    assert.equal(count(files), 2);
  });

  it("finds the group of a container that sees the paths of its host", () => {
    const files = {
      "/proc/self/cgroup": "4:cpu,cpuacct:/docker/abc/inner\n",
      "/proc/self/mountinfo": mount(
        "cgroup", "/sys/fs/cgroup/cpu,cpuacct", "rw,cpu,cpuacct", "/docker/abc",
      ), // prettier-ignore
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us": "200000\n",
      "/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us": "100000\n",
    };
    assert.equal(count(files), 2);
  });

  it("does not take the group of somebody else for ours", () => {
    const files = {
      "/proc/self/cgroup": "0::/docker/abcd\n",
      "/proc/self/mountinfo": mount("cgroup2", "/mnt/other", "rw", "/docker/abc"),
      "/mnt/other/cpu.max": "100000 100000",
    };
    assert.equal(count(files), 8);
  });

  it("reads a mount point with a blank in its name", () => {
    const files = {
      "/proc/self/mountinfo": mount("cgroup2", "/sys/fs/c\\040group"),
      "/sys/fs/c group/cpu.max": "300000 100000",
    };
    assert.equal(count(files), 3);
  });

  for (const [what, text] of [
    ["an empty file", ""],
    ["words", "a b"],
    ["a period of 0", "100000 0"],
  ] as const) {
    it(`ignores ${what}`, () => {
      assert.equal(count({ "/sys/fs/cgroup/cpu.max": text }), 8);
    });
  }
});

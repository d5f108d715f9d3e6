import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OomKills } from "../../src/supervisor/oom-kills.ts";

function open(files: Map<string, string>): OomKills {
  return new OomKills((path) => {
    const text = files.get(path);
    if (text === undefined) throw new Error(`ENOENT: ${path}`);
    return text;
  });
}

function events(kills: number): string {
  return `low 0\nhigh 0\nmax 7\noom ${kills}\noom_kill ${kills}\noom_group_kill 0\n`;
}

describe("OomKills", () => {
  for (const [what, group, path] of [
    ["version 2", "0::/pod/app\n", "/sys/fs/cgroup/pod/app/memory.events"],
    ["version 2, from inside a container", "0::/pod/app\n", "/sys/fs/cgroup/memory.events"],
    ["version 1", "4:memory:/app\n0::/\n", "/sys/fs/cgroup/memory/app/memory.oom_control"],
    [
      "version 1, from inside a container",
      "8:cpu,memory:/app\n",
      "/sys/fs/cgroup/memory/memory.oom_control",
    ],
  ] as const) {
    it(`lets each kill be claimed once, with cgroup ${what}`, () => {
      const files = new Map([
        ["/proc/self/cgroup", group],
        [path, events(3)],
      ]);
      const kills = open(files);
      assert.equal(kills.claim(), false, "those before we began are not ours");
      files.set(path, events(5));
      assert.deepEqual([kills.claim(), kills.claim(), kills.claim()], [true, true, false]);
    });
  }

  it("knows of none where the kernel does not count", () => {
    assert.equal(open(new Map()).claim(), false);
    assert.equal(open(new Map([["/proc/self/cgroup", "0::/\n"]])).claim(), false);
  });
});

import { readFileSync } from "node:fs";

const ROOT = "/sys/fs/cgroup";

/** Knows whether the kernel has killed processes of our cgroup because memory ran out. */
export class OomKills {
  readonly #read: (path: string) => string;
  #known: number | undefined;

  /** @param read Reads a file, or throws. */
  constructor(read: (path: string) => string = (path) => readFileSync(path, "utf8")) {
    this.#read = read;
    this.#known = this.#count();
  }

  /** Whether there was one that was not claimed yet; it is then. False where the kernel does not count. */
  claim(): boolean {
    if (this.#known === undefined) return false;
    const isNew = (this.#count() ?? 0) > this.#known;
    if (isNew) this.#known += 1;
    return isNew;
  }

  #count(): number | undefined {
    for (const path of this.#candidates()) {
      const [, count] = /^oom_kill (\d+)$/m.exec(this.#attempt(path)) ?? [];
      if (count !== undefined) return Number(count);
    }
    return undefined;
  }

  /** A container may see its own cgroup as the root, whatever it is told that its name is. */
  #candidates(): readonly string[] {
    const groups = this.#attempt("/proc/self/cgroup");
    const [, unified = ""] = /^0::(.*)$/m.exec(groups) ?? [];
    const [, memory = ""] = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups) ?? [];
    return [
      `${ROOT}${unified}/memory.events`,
      `${ROOT}/memory.events`,
      `${ROOT}/memory${memory}/memory.oom_control`,
      `${ROOT}/memory/memory.oom_control`,
    ];
  }

  #attempt(path: string): string {
    try {
      return this.#read(path);
    } catch {
      return "";
    }
  }
}

/** Reads a whole file; throws where there is none. */
export type ReadFile = (path: string) => string;

/** A directory that may limit us, and the version of cgroups it belongs to. */
interface Group {
  readonly directory: string;
  readonly version: 1 | 2;
}

/** A line of `/proc/self/mountinfo`. */
interface Mount {
  /** What of the hierarchy is mounted. */
  readonly root: string;
  readonly directory: string;
  readonly type: string;
  readonly options: readonly string[];
}

/**
 * CPUs that the cgroups of this process may use, in fractions; undefined where nothing limits them.
 * The tightest limit counts, be it our own group's or one above it, as far as they can be seen.
 */
export function readCpuQuota(readFile: ReadFile): number | undefined {
  const read = (path: string): string | undefined => {
    try {
      return readFile(path);
    } catch {
      return undefined;
    }
  };
  const groups = findGroups(read("/proc/self/cgroup") ?? "", read("/proc/self/mountinfo") ?? "");
  const quotas = groups.flatMap(({ directory, version }) => {
    if (version === 2) return parseQuota(read(`${directory}/cpu.max`)) ?? [];
    const parts = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map((name) =>
      read(`${directory}/${name}`),
    );
    return parseQuota(parts.join(" ")) ?? [];
  });
  return quotas.length === 0 ? undefined : Math.min(...quotas);
}

/** `150000 100000`; `max` and -1 are no limit. */
function parseQuota(text: string | undefined): number | undefined {
  const [quota = NaN, period = NaN] = (text ?? "").trim().split(/\s+/).map(Number);
  return quota > 0 && period > 0 ? quota / period : undefined;
}

/** Our group in every hierarchy that counts CPU time, and those above it. */
function findGroups(cgroup: string, mountinfo: string): Group[] {
  const mounts = mountinfo.split("\n").flatMap((line) => parseMount(line) ?? []);
  return cgroup.split("\n").flatMap((line) => {
    const [, id, controllers = "", path = ""] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    const version = id === "0" && controllers === "" ? 2 : 1;
    if (version === 1 && !controllers.split(",").includes("cpu")) return [];
    const isOurs = ({ type, options }: Mount): boolean =>
      version === 2 ? type === "cgroup2" : type === "cgroup" && options.includes("cpu");
    return mounts
      .filter(isOurs)
      .flatMap((mount) => pathsUpward(mount, path))
      .map((directory) => ({ directory, version }));
  });
}

/** Without a cgroup namespace a container sees the path of the host, and its own group mounted as the root. */
function pathsUpward({ root, directory }: Mount, path: string): string[] {
  const base = root === "/" ? "" : root;
  if (path !== base && !path.startsWith(`${base}/`)) return [];
  const parts = path.slice(base.length).split("/").filter(Boolean);
  return [
    directory,
    ...parts.map((_, index) => [directory, ...parts.slice(0, index + 1)].join("/")),
  ];
}

function parseMount(line: string): Mount | undefined {
  const [before = "", after] = line.split(" - ");
  if (after === undefined) return undefined;
  const [, , , root = "", directory = ""] = before.split(" ").map(unescapeOctal);
  const [type = "", , options = ""] = after.split(" ");
  return { root, directory, type, options: options.split(",") };
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)));
}

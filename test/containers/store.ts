import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** Where what takes long to make waits for the next run; only root can use containers here. */
export const CACHE = "/var/cache/outrigger-test";

/** Files that tell podman and buildah how to work, whatever this machine has in /etc/containers. */
export interface EngineFiles {
  readonly dir: string;
  /** Where images and containers are kept. */
  readonly graphRoot: string;
  /** Images that are only read from, the youngest first. */
  readonly imageStores: readonly string[];
  /** Where the network is described; none when only images are built. */
  readonly network?: { readonly dir: string; readonly name: string };
}

/** Names of the files, with what each holds. */
export function engineFiles(files: EngineFiles): ReadonlyMap<string, string> {
  const { dir, graphRoot, imageStores, network } = files;
  return new Map([
    ["containers.conf", containersConf(network)],
    [
      "storage.conf",
      `[storage]
driver = "overlay"
graphroot = ${JSON.stringify(graphRoot)}
runroot = ${JSON.stringify(join(dir, "run"))}
[storage.options]
additionalimagestores = ${JSON.stringify(imageStores)}
`,
    ],
    ["registries.conf", `unqualified-search-registries = ["docker.io"]\n`],
    ["policy.json", `{ "default": [{ "type": "insecureAcceptAnything" }] }\n`],
  ]);
}

/** The environment in which podman and buildah read those files. */
export function engineEnvironment(dir: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    CONTAINERS_CONF: join(dir, "containers.conf"),
    CONTAINERS_STORAGE_CONF: join(dir, "storage.conf"),
    CONTAINERS_REGISTRIES_CONF: join(dir, "registries.conf"),
    BUILDAH_ISOLATION: "oci",
  };
}

/** A store that `make` fills once per key. What is there is kept as it is; older ones of the kind go. */
export async function keepStore(
  kind: string,
  key: string,
  make: (dir: string) => Promise<void>,
): Promise<string> {
  const path = join(CACHE, `${kind}-${key}`);
  if (existsSync(join(path, "done"))) return path;
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  await make(path);
  mkdirSync(join(path, "done"));
  forgetOthers(kind, path);
  return path;
}

const KEPT = 6;

/** Another clone on this machine may be using one of the youngest. */
function forgetOthers(kind: string, current: string): void {
  const others = readdirSync(CACHE)
    .filter((name) => name.startsWith(`${kind}-`))
    .map((name) => join(CACHE, name))
    .filter((path) => path !== current)
    .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const path of others.slice(KEPT)) rmSync(path, { recursive: true, force: true });
}

function containersConf(network: EngineFiles["network"]): string {
  const networking =
    network === undefined
      ? ""
      : `default_network = ${JSON.stringify(network.name)}
network_config_dir = ${JSON.stringify(network.dir)}
`;
  return `[containers]
# The defaults are above what a sandbox allows.
default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
${networking}`;
}

import { randomBytes, randomInt } from "node:crypto";
import { mkdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
import { buildArguments, IMAGE, ROOT, type BuildOptions } from "../containers/image.ts";
import { npmMounts } from "../containers/npm-mounts.ts";
import { CACHE, engineEnvironment, engineFiles } from "../containers/store.ts";
import { runCommand, tryCommand, type CommandOptions, type CommandResult } from "./command.ts";
import { eventually } from "./deadline.ts";
import { needs, needsRoot } from "./needs.ts";
import { onEnd, type Scope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";

export { IMAGE, ROOT };

// On a machine that has none yet, the base images come first.
const IMAGE_DEADLINE_MS = 600_000;
const BUILD_DEADLINE_MS = 240_000;
const HEALTHY_WITHIN_MS = 60_000;
const DEADLINE_MS = 30_000;

/**
 * An engine for containers of one's own: podman with its own store, which reads our image and the stand-ins for
 * those of others, and its own network. All of it is gone when the scope ends. Needs root.
 */
export async function openContainers(scope: Scope): Promise<Containers> {
  const imageStores = await prepareImages();
  const dir = await tempDir(scope);
  const name = `or${randomBytes(4).toString("hex")}`;
  const network = { dir: join(dir, "networks"), name };
  await mkdir(network.dir);
  await writeFile(join(network.dir, `${name}.json`), JSON.stringify(describeNetwork(name)));
  const files = engineFiles({ dir, graphRoot: join(dir, "root"), imageStores, network });
  for (const [file, text] of files) await writeFile(join(dir, file), text);
  const containers = new Containers({ dir, network: name, env: engineEnvironment(dir) });
  onEnd(scope, () => containers.clear());
  return containers;
}

/** Containers for all the tests of the suite in whose body this is called. */
export function suiteContainers(): () => Containers {
  const cleanups: (() => Promise<void>)[] = [];
  let opened: Containers | undefined;
  before(async () => {
    opened = await openContainers({ after: (cleanup) => void cleanups.push(cleanup) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });
  return () => {
    if (opened === undefined) throw new Error("Containers are there once the tests have begun");
    return opened;
  };
}

/** Options for a suite that uses containers, which takes root. */
export function needsContainers(): { readonly skip: string | false } {
  const tools = needs("podman", "buildah", "runc", "debootstrap", "netavark", "aardvark-dns");
  return tools.skip === false ? needsRoot() : tools;
}

/** What `podman inspect` says of a container, as far as tests ask. */
export interface ContainerFacts {
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly Pid: number;
    readonly Health?: { readonly Status: string };
  };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
  };
}

interface Place {
  readonly dir: string;
  readonly network: string;
  readonly env: NodeJS.ProcessEnv;
}

export class Containers {
  /** Environment for other programs that call podman. */
  readonly env: NodeJS.ProcessEnv;
  /** The network containers are in unless they are put into another one; its subnet is nobody else's. */
  readonly network: string;
  readonly #dir: string;

  constructor({ dir, network, env }: Place) {
    this.#dir = dir;
    this.network = network;
    this.env = env;
  }

  /** Runs podman; resolves with what it wrote to stdout, without the last line break. */
  async podman(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const text = await runCommand("podman", args, { env: this.env, ...options });
    return text.trimEnd();
  }

  /** As `podman`, where an exit code other than 0 is an answer too. */
  tryPodman(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return tryCommand("podman", args, { env: this.env, ...options });
  }

  /** Starts a container in the background; resolves with its id. */
  async run(args: readonly string[]): Promise<string> {
    return await this.podman(["run", "--detach", ...args]);
  }

  /** Builds an image with npm's registry in reach; resolves with its id. */
  async build(options: BuildOptions, more: readonly string[] = []): Promise<string> {
    const args = buildArguments(options, [...npmMounts(this.#dir), "--quiet", ...more]);
    const text = await runCommand("buildah", args, {
      env: this.env,
      deadlineMs: BUILD_DEADLINE_MS,
    });
    return text.trim();
  }

  async inspect(container: string): Promise<ContainerFacts> {
    const [facts] = JSON.parse(await this.podman(["container", "inspect", container])) as [
      ContainerFacts,
    ];
    return facts;
  }

  /** Address of a container in our network, which this machine reaches. */
  async addressOf(container: string): Promise<string> {
    const { Networks } = (await this.inspect(container)).NetworkSettings;
    const [first] = Object.values(Networks);
    if (first === undefined || first.IPAddress === "") throw new Error("It has no address");
    return first.IPAddress;
  }

  /** Folder of a volume on this machine, where a socket in it can be connected to. */
  async pathOf(volume: string): Promise<string> {
    return await this.podman(["volume", "inspect", "--format", "{{.Mountpoint}}", volume]);
  }

  /** Both streams of a container so far. */
  async logs(container: string): Promise<string> {
    const { stdout, stderr } = await this.tryPodman(["logs", container]);
    return stdout + stderr;
  }

  /** Asks the image's HEALTHCHECK until it passes, as Docker does by itself and podman only with systemd. */
  async healthy(container: string): Promise<void> {
    const ask = async (): Promise<true | undefined> => {
      const { code } = await this.tryPodman(["healthcheck", "run", container]);
      if (code === 0) return true;
      const { Status: status } = (await this.inspect(container)).State;
      if (status === "running") return undefined;
      throw new Error(`${container} is ${status}: ${await this.logs(container)}`);
    };
    try {
      await eventually(HEALTHY_WITHIN_MS, ask, `${container} to be healthy`);
    } catch (cause) {
      throw new Error(`${container} is not healthy: ${await this.logs(container)}`, { cause });
    }
  }

  /** Resolves with the exit code of a container that ends. */
  async exitCode(container: string): Promise<number> {
    return Number(await this.podman(["wait", container], { deadlineMs: DEADLINE_MS }));
  }

  /** Removes whatever there is, so that nothing of it stays mounted. */
  async clear(): Promise<void> {
    await this.podman(["pod", "rm", "--all", "--force", "--time=0"]);
    await this.podman(["rm", "--all", "--force", "--time=0", "--volumes"]);
    await this.podman(["volume", "rm", "--all", "--force"]);
    await runCommand("buildah", ["rm", "--all"], { env: this.env });
    // The store is a mount of its own while it is in use.
    await tryCommand("umount", [join(this.#dir, "root", "overlay")]);
  }
}

/** Makes the images that are missing, one process at a time. Resolves with the stores they are in. */
export async function prepareImages(): Promise<readonly string[]> {
  mkdirSync(CACHE, { recursive: true });
  const script = join(ROOT, "test/containers/image.ts");
  const text = await runCommand("flock", [join(CACHE, "lock"), process.execPath, script], {
    deadlineMs: IMAGE_DEADLINE_MS,
  });
  return JSON.parse(text) as readonly string[];
}

/** A bridge that no other store has, and a subnet that no other one is likely to have. */
function describeNetwork(name: string): object {
  const subnet = `10.${randomInt(100, 200)}.${randomInt(256)}`;
  return {
    name,
    id: randomBytes(32).toString("hex"),
    driver: "bridge",
    network_interface: name,
    created: new Date(0).toISOString(),
    subnets: [{ subnet: `${subnet}.0/24`, gateway: `${subnet}.1` }],
    ipv6_enabled: false,
    internal: false,
    dns_enabled: true,
    ipam_options: { driver: "host-local" },
  };
}

/**
 * Runs a pod of our manifests with `podman kube play`, and does what a kubelet does where podman 4.3 has no
 * field for it: native sidecars, HTTP probes, the preStop sleep, the group and size of an emptyDir, the order
 * and the shared grace period of a stop, and the restart of a container by itself.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stringify } from "yaml";
import { runCommand } from "../command.ts";
import type { Containers } from "../containers.ts";
import { eventually } from "../deadline.ts";
import { request, type Response } from "../http.ts";
import type { Fields } from "../kustomize/fields.ts";
import { onEnd, type Scope } from "../scope.ts";
import { tempDir } from "../temp-dir.ts";
import {
  readPodSpec,
  toPodmanPod,
  type ContainerSpec,
  type HttpProbe,
  type PodSpec,
} from "./pod-spec.ts";
import { terminate, type Termination } from "./termination.ts";

const READY_DEADLINE_MS = 60_000;

/** Starts the pod of a rendered overlay and resolves when all its containers are ready. */
export async function playPod(
  scope: Scope,
  containers: Containers,
  resources: readonly Fields[],
): Promise<Pod> {
  const deployment = resources.find(({ kind }) => kind === "Deployment");
  if (deployment === undefined) throw new Error("There is no Deployment to play");
  const spec = readPodSpec(deployment);
  const file = join(await tempDir(scope), "pod.yaml");
  const configMaps = resources.filter(({ kind }) => kind === "ConfigMap");
  const documents = [...configMaps, toPodmanPod(deployment)].map((one) => stringify(one));
  await writeFile(file, documents.join("---\n"));
  await containers.podman([
    "kube",
    "play",
    "--start=false",
    `--network=${containers.network}`,
    file,
  ]);
  const volumes = await makeEmptyDirs(scope, containers, spec);
  const pod = new Pod(containers, spec, volumes);
  await pod.start();
  return pod;
}

/** As a kubelet makes them: a file system of their own in memory, the group of the pod, which new files inherit. */
async function makeEmptyDirs(
  scope: Scope,
  containers: Containers,
  { emptyDirs, fsGroup }: PodSpec,
): Promise<ReadonlyMap<string, string>> {
  const volumes = new Map<string, string>();
  onEnd(scope, async () => {
    await containers.podman(["pod", "rm", "--all", "--force", "--time=0"]);
    for (const path of volumes.values()) await runCommand("umount", [path]);
  });
  for (const { name, size } of emptyDirs) {
    const format = "--format={{.Mountpoint}}";
    const path = await containers.podman(["volume", "inspect", format, name]);
    const options = `size=${size.replace("i", "")},mode=2777,gid=${fsGroup}`;
    await runCommand("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
    volumes.set(name, path);
  }
  return volumes;
}

export class Pod {
  readonly spec: PodSpec;
  readonly #containers: Containers;
  readonly #volumes: ReadonlyMap<string, string>;
  #address = "";

  constructor(containers: Containers, spec: PodSpec, volumes: ReadonlyMap<string, string>) {
    this.#containers = containers;
    this.spec = spec;
    this.#volumes = volumes;
  }

  /** The address of the pod, which this machine reaches. */
  get address(): string {
    return this.#address;
  }

  /** Name of a container for podman. */
  nameOf(container: string): string {
    return `${this.spec.name}-${container}`;
  }

  /** Where an emptyDir is on this machine. */
  pathOf(volume: string): string {
    const path = this.#volumes.get(volume);
    if (path === undefined) throw new Error(`The pod has no emptyDir ${volume}`);
    return path;
  }

  /** Sends a request to the pod's address. */
  ask(port: number, path: string): Promise<Response> {
    return request({ host: this.#address, port, path });
  }

  /** What a container wrote, both streams. */
  logs(container: string): Promise<string> {
    return this.#containers.logs(this.nameOf(container));
  }

  /** Sidecars one after the other, each behind its startup probe; then all others at once. */
  async start(): Promise<void> {
    for (const container of this.spec.containers.filter(({ isSidecar }) => isSidecar))
      await this.startContainer(container.name);
    const others = this.spec.containers.filter(({ isSidecar }) => !isSidecar);
    await Promise.all(others.map(({ name }) => this.startContainer(name)));
    await this.ready();
  }

  /** Starts a container that does not run; resolves when its startup probe has passed. */
  async startContainer(name: string): Promise<void> {
    const { startup } = this.#spec(name);
    await this.#containers.podman(["start", this.nameOf(name)]);
    this.#address ||= await this.#readAddress();
    if (startup === undefined) return;
    for (let failures = 0; !(await this.passes(startup)); failures += 1) {
      if (failures >= startup.failureThreshold)
        throw new Error(`${name} did not start:\n${await this.logs(name)}`);
      await delay(Math.min(startup.periodMs, 200));
    }
  }

  /** Resolves when every readiness probe passes. */
  async ready(): Promise<void> {
    const probes = this.spec.containers.flatMap(({ readiness }) => readiness ?? []);
    const areReady = async (): Promise<true | undefined> =>
      (await Promise.all(probes.map((probe) => this.passes(probe)))).every(Boolean) || undefined;
    await eventually(READY_DEADLINE_MS, areReady, "the pod to be ready");
  }

  /** Whether a probe passes now: an answer below 400 in time. */
  async passes({ port, path, timeoutMs }: HttpProbe): Promise<boolean> {
    const target = { host: this.#address, port, path, deadlineMs: timeoutMs };
    const status = await request(target).then(
      (response) => response.status,
      () => undefined,
    );
    return status !== undefined && status >= 200 && status < 400;
  }

  /** Kills a container as the kernel would, and starts it again as a kubelet would: the volumes stay. */
  async restart(name: string): Promise<void> {
    await this.#containers.podman(["kill", "--signal=KILL", this.nameOf(name)]);
    await this.#containers.podman(["wait", this.nameOf(name)]);
    await this.startContainer(name);
    await this.ready();
  }

  /** Ends the pod as a kubelet does; resolves with what happened when. */
  terminate(): Promise<Termination> {
    return terminate(this, this.#containers);
  }

  #spec(name: string): ContainerSpec {
    const found = this.spec.containers.find((container) => container.name === name);
    if (found === undefined) throw new Error(`The pod has no container ${name}`);
    return found;
  }

  async #readAddress(): Promise<string> {
    const format = "--format={{.InfraContainerID}}";
    return await this.#containers.addressOf(
      await this.#containers.podman(["pod", "inspect", format, this.spec.name]),
    );
  }
}

import {
  asFields,
  asList,
  asNumber,
  asText,
  at,
  mappings,
  type Fields,
} from "../kustomize/fields.ts";
import { nameOf } from "../kustomize/strategic-merge.ts";

/** A request of a kubelet to a pod's own address. */
export interface HttpProbe {
  readonly path: string;
  readonly port: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
}

/** What a kubelet reads of a container. */
export interface ContainerSpec {
  readonly name: string;
  readonly isSidecar: boolean;
  readonly startup?: HttpProbe;
  readonly liveness?: HttpProbe;
  readonly readiness?: HttpProbe;
  /** The `sleep` of its preStop hook, 0 for none. */
  readonly preStopMs: number;
  /** The command of its preStop hook, empty for none. */
  readonly preStopCommand: readonly string[];
}

/** What a kubelet reads of a pod; in the order of the manifest, sidecars first. */
export interface PodSpec {
  readonly name: string;
  readonly containers: readonly ContainerSpec[];
  readonly gracePeriodMs: number;
  readonly fsGroup: number;
  /** Volumes of type emptyDir, with their size limits. */
  readonly emptyDirs: readonly { readonly name: string; readonly size: string }[];
}

const MS = 1_000;

/** Reads the pod template of a Deployment. */
export function readPodSpec(deployment: Fields): PodSpec {
  const spec = asFields(at(deployment, "spec", "template", "spec"));
  const sidecars = mappings(spec["initContainers"]);
  for (const { restartPolicy } of sidecars)
    if (restartPolicy !== "Always") throw new Error("Only sidecars are played, no init containers");
  return {
    name: nameOf(deployment),
    containers: [
      ...sidecars.map((container) => readContainer(container, true)),
      ...mappings(spec["containers"]).map((container) => readContainer(container, false)),
    ],
    gracePeriodMs: asNumber(spec["terminationGracePeriodSeconds"]) * MS,
    fsGroup: asNumber(at(spec, "securityContext", "fsGroup")),
    emptyDirs: mappings(spec["volumes"])
      .filter((volume) => volume["emptyDir"] !== undefined)
      .map((volume) => ({
        name: asText(volume["name"]),
        size: asText(at(volume, "emptyDir", "sizeLimit")),
      })),
  };
}

/**
 * The pod in words of podman 4.3. It knows no sidecars, so they stand beside the others, and the driver keeps
 * the order; no probes over HTTP and no sleep, which the driver does; no fsGroup, which becomes a supplemental
 * group here and the group of volumes in the driver. Ports would be opened on the host. All else stays.
 */
export function toPodmanPod(deployment: Fields): Fields {
  const spec = structuredClone(asFields(at(deployment, "spec", "template", "spec")));
  const containers = [...mappings(spec["initContainers"]), ...mappings(spec["containers"])];
  for (const container of containers) {
    for (const field of [
      "restartPolicy", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports",
    ])
      delete container[field]; // prettier-ignore
  }
  const security = asFields(spec["securityContext"]);
  security["supplementalGroups"] = [
    ...asList(security["supplementalGroups"] ?? []),
    security["fsGroup"],
  ];
  delete spec["initContainers"];
  const metadata = { name: nameOf(deployment), labels: at(deployment, "metadata", "labels") };
  // A kubelet restarts what ends; here the driver does.
  const pod = { ...spec, containers, restartPolicy: "Never" };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: pod };
}

function readContainer(container: Fields, isSidecar: boolean): ContainerSpec {
  const probe = (name: string): HttpProbe | undefined =>
    container[name] === undefined ? undefined : readProbe(asFields(container[name]));
  const [startup, liveness, readiness] = [
    probe("startupProbe"),
    probe("livenessProbe"),
    probe("readinessProbe"),
  ];
  const seconds = at(container, "lifecycle", "preStop", "sleep", "seconds");
  return {
    name: asText(container["name"]),
    isSidecar,
    preStopMs: seconds === undefined ? 0 : asNumber(seconds) * MS,
    preStopCommand: asList(at(container, "lifecycle", "preStop", "exec", "command") ?? []).map(
      asText,
    ),
    ...(startup && { startup }),
    ...(liveness && { liveness }),
    ...(readiness && { readiness }),
  };
}

function readProbe(probe: Fields): HttpProbe {
  return {
    path: asText(at(probe, "httpGet", "path")),
    port: asNumber(at(probe, "httpGet", "port")),
    periodMs: asNumber(probe["periodSeconds"]) * MS,
    timeoutMs: asNumber(probe["timeoutSeconds"]) * MS,
    failureThreshold: asNumber(probe["failureThreshold"]),
  };
}

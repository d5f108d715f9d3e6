import { asList, asText, at, isFields, mappings, type Fields } from "./fields.ts";

/** A rule of the Pod Security Standards, and what breaks it. */
interface Rule {
  readonly name: string;
  readonly broken: (pod: Fields) => readonly string[];
}

const VOLUMES = [
  "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
]; // prettier-ignore
const SELINUX_TYPES = [
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t",
];
const SYSCTLS = [
  "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
]; // prettier-ignore

/** The profile "restricted", which contains "baseline", rule by rule as the standard lists them. */
export const RESTRICTED: readonly Rule[] = [
  eachContainer("host process", (each) =>
    context(each, "windowsOptions", "hostProcess") === true ? "hostProcess" : undefined,
  ),
  podRule("host namespaces", (pod) =>
    ["hostNetwork", "hostPID", "hostIPC"].filter((field) => pod[field] === true),
  ),
  eachContainer("privileged", (each) =>
    context(each, "privileged") === true ? "privileged" : undefined,
  ),
  eachContainer("capabilities", (each) => {
    const added = asList(context(each, "capabilities", "add") ?? []);
    const isDropped = asList(context(each, "capabilities", "drop") ?? []).includes("ALL");
    if (!isDropped) return "does not drop ALL";
    const wrong = added.filter((one) => one !== "NET_BIND_SERVICE");
    return wrong.length > 0 ? `adds ${wrong.join(", ")}` : undefined;
  }),
  podRule("volume types", (pod) =>
    mappings(pod["volumes"]).flatMap(({ name, ...source }) =>
      Object.keys(source)
        .filter((type) => !VOLUMES.includes(type))
        .map((type) => `${String(name)} is ${type}`),
    ),
  ),
  eachContainer("host ports", (each) =>
    mappings(each["ports"]).some(({ hostPort }) => (hostPort ?? 0) !== 0) ? "hostPort" : undefined,
  ),
  eachContainer("host of probes and hooks", (each) => {
    const handlers = [
      ...["startupProbe", "livenessProbe", "readinessProbe"].map((probe) => at(each, probe)),
      ...["preStop", "postStart"].map((hook) => at(each, "lifecycle", hook)),
    ];
    const isForeign = handlers.some((handler) =>
      ["httpGet", "tcpSocket"].some((kind) => at(handler, kind, "host") !== undefined),
    );
    return isForeign ? "names a host" : undefined;
  }),
  eachLevel("AppArmor", (security) => {
    const type = at(security, "appArmorProfile", "type") ?? "RuntimeDefault";
    return ["RuntimeDefault", "Localhost"].includes(asText(type)) ? undefined : asText(type);
  }),
  eachLevel("SELinux", (security) => {
    const {
      type = "",
      user,
      role,
    } = isFields(at(security, "seLinuxOptions")) ? (at(security, "seLinuxOptions") as Fields) : {};
    const isRight =
      SELINUX_TYPES.includes(asText(type)) && user === undefined && role === undefined;
    return isRight ? undefined : "seLinuxOptions";
  }),
  eachContainer("/proc mount", (each) =>
    (context(each, "procMount") ?? "Default") === "Default" ? undefined : "procMount",
  ),
  podRule("sysctls", (pod) =>
    mappings(at(pod, "securityContext", "sysctls"))
      .map(({ name }) => asText(name))
      .filter((name) => !SYSCTLS.includes(name)),
  ),
  eachContainer("privilege escalation", (each) =>
    context(each, "allowPrivilegeEscalation") === false
      ? undefined
      : "allowPrivilegeEscalation is not false",
  ),
  inherited("running as non-root", "runAsNonRoot", (value) => value === true),
  eachLevel("running as non-root user", (security) =>
    at(security, "runAsUser") === 0 ? "runAsUser is 0" : undefined,
  ),
  inherited("seccomp", "seccompProfile", (value) =>
    ["RuntimeDefault", "Localhost"].includes(asText(at(value, "type") ?? "")),
  ),
];

/** The rules of "restricted" that a pod spec breaks, one line each. */
export function brokenRules(pod: Fields): string[] {
  return RESTRICTED.flatMap(({ name, broken }) => broken(pod).map((what) => `${name}: ${what}`));
}

function podRule(name: string, broken: Rule["broken"]): Rule {
  return { name, broken };
}

function eachContainer(name: string, check: (container: Fields) => string | undefined): Rule {
  return {
    name,
    broken: (pod) =>
      containersOf(pod).flatMap((each) => {
        const what = check(each);
        return what === undefined ? [] : [`${String(each["name"])} ${what}`];
      }),
  };
}

/** A rule for the security context of the pod and for that of each container. */
function eachLevel(name: string, check: (security: unknown) => string | undefined): Rule {
  return {
    name,
    broken: (pod) =>
      [pod, ...containersOf(pod)].flatMap((each) => check(each["securityContext"]) ?? []),
  };
}

/** A field that each container has to have right, by itself or from the pod. */
function inherited(name: string, field: string, isRight: (value: unknown) => boolean): Rule {
  return {
    name,
    broken: (pod) =>
      containersOf(pod)
        .filter((each) => !isRight(context(each, field) ?? at(pod, "securityContext", field)))
        .map((each) => `${String(each["name"])} has no right ${field}`),
  };
}

function context(container: Fields, ...way: readonly string[]): unknown {
  return at(container, "securityContext", ...way);
}

function containersOf(pod: Fields): Fields[] {
  return ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
    mappings(pod[list]),
  );
}

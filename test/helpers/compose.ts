import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "yaml";
import { ROOT, type Containers } from "./containers.ts";

type Values = Readonly<Record<string, unknown>>;
type Flags = (value: never) => readonly string[];

/** A service of compose.yaml, as written. */
export interface Service extends Values {
  readonly image: string;
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

export interface ComposeFile extends Values {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Values;
}

/** What compose does with each key, in flags of podman. Images are there, and ports are reached without publishing. */
const FLAGS: Readonly<Record<string, Flags>> = {
  build: () => [],
  image: () => [],
  command: () => [],
  depends_on: () => [],
  ports: () => [],
  entrypoint: (words: readonly string[]) => [`--entrypoint=${JSON.stringify(words)}`],
  environment: (variables: Values) =>
    Object.entries(variables).map(([name, value]) => `--env=${name}=${String(value)}`),
  group_add: (groups: readonly string[]) => groups.map((group) => `--group-add=${group}`),
  // podman takes what comes after CMD as a list.
  healthcheck: ({ test: [kind, ...words] }: { readonly test: readonly string[] }) => {
    if (kind !== "CMD") throw new Error(`Cannot run a health check in a shell: ${kind}`);
    return [`--health-cmd=${JSON.stringify(words)}`];
  },
  // Of podman's own accord, a read-only container has a writable /tmp.
  read_only: (isOn: boolean) => (isOn ? ["--read-only", "--read-only-tmpfs=false"] : []),
  cap_drop: (names: readonly string[]) => names.map((name) => `--cap-drop=${name}`),
  security_opt: (options: readonly string[]) => options.map((option) => `--security-opt=${option}`),
  stop_signal: (signal: string) => [`--stop-signal=${signal}`],
  stop_grace_period: (duration: string) => [`--stop-timeout=${Number.parseInt(duration, 10)}`],
  tmpfs: (paths: readonly string[]) => paths.map((path) => `--tmpfs=${path}`),
  volumes: (mounts: readonly string[]) => mounts.map((mount) => `--volume=${absolute(mount)}`),
};

/** The file at the root of the repository. */
export function readCompose(): ComposeFile {
  return parse(readFileSync(resolve(ROOT, "compose.yaml"), "utf8")) as ComposeFile;
}

/** Names of services, each after those it depends on. */
export function startOrder({ services }: ComposeFile): readonly string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    for (const before of Object.keys(services[name]?.depends_on ?? {})) visit(before);
    if (!order.includes(name)) order.push(name);
  };
  for (const name of Object.keys(services)) visit(name);
  return order;
}

/** Does what `docker compose up` does for one service: starts it and waits for its health check. */
export async function startService(
  containers: Containers,
  name: string,
  service: Service,
): Promise<void> {
  const flags = Object.entries(service).flatMap(([key, value]) => flagsOf(key, value));
  const place = ["--name", name, "--network-alias", name];
  await containers.run([...place, ...flags, service.image, ...(service.command ?? [])]);
  await containers.healthy(name);
}

/** A key that would be ignored here would not be tested. */
function flagsOf(key: string, value: unknown): readonly string[] {
  const flags = FLAGS[key];
  if (flags === undefined) throw new Error(`Cannot run compose.yaml: nothing is known of "${key}"`);
  return flags(value as never);
}

function absolute(mount: string): string {
  return mount.startsWith("./") ? resolve(ROOT, mount) : mount;
}

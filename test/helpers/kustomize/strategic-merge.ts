import { asFields, asText, isFields, type Fields } from "./fields.ts";

/** What tells the items of a list apart, by the name of the list. Other lists are replaced as a whole. */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ["name"],
  initContainers: ["name"],
  env: ["name"],
  volumes: ["name"],
  volumeMounts: ["mountPath"],
  ports: ["containerPort", "port"],
  topologySpreadConstraints: ["topologyKey"],
};

/** Lays a strategic merge patch over a resource, as kustomize does: what is new in a list comes first. */
export function mergeStrategic(target: Fields, patch: Fields): Fields {
  const merged = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith("$")) throw new Error(`This renderer knows no patch directive "${name}"`);
    if (value === null) delete merged[name];
    else merged[name] = mergeField(name, merged[name], value);
  }
  return merged;
}

function mergeField(name: string, target: unknown, patch: unknown): unknown {
  if (isFields(patch)) return mergeStrategic(isFields(target) ? target : {}, patch);
  if (!Array.isArray(patch) || !Array.isArray(target)) return patch;
  const keys = MERGE_KEYS[name];
  if (keys === undefined || !patch.every(isFields)) return patch;
  return mergeLists(target.map(asFields), patch, keys);
}

function mergeLists(target: Fields[], patch: Fields[], keys: readonly string[]): Fields[] {
  const key = keys.find((candidate) => patch.every((item) => item[candidate] !== undefined));
  if (key === undefined) throw new Error(`An item of a patched list has no ${keys.join(" or ")}`);
  const rest = [...target];
  const patched = patch.map((item) => {
    const index = rest.findIndex((candidate) => candidate[key] === item[key]);
    const [old = {}] = index === -1 ? [] : rest.splice(index, 1);
    return mergeStrategic(old, item);
  });
  return [...patched, ...rest];
}

/** Whether a patch of a whole resource is meant for this one. */
export function isSameResource(resource: Fields, patch: Fields): boolean {
  return resource["kind"] === patch["kind"] && nameOf(resource) === nameOf(patch);
}

/** `metadata.name`. */
export function nameOf(resource: Fields): string {
  return asText(asFields(resource["metadata"])["name"]);
}

/**
 * Renders the part of kustomize that `k8s/` uses: resources, components, patches (strategic merge and JSON),
 * config maps, images, namespace. Whatever else it meets it refuses, so it never renders something else than
 * kustomize would. Where kustomize itself is installed a test compares the two.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { generateConfigMap, referTo } from "./config-map.ts";
import { asFields, asList, asText, at, mappings, type Fields } from "./fields.ts";
import { applyJsonPatch } from "./json-patch.ts";
import { isSameResource, mergeStrategic, nameOf } from "./strategic-merge.ts";

const KNOWN = [
  "apiVersion", "kind", "resources", "components", "patches", "configMapGenerator", "images", "namespace",
]; // prettier-ignore

/** The resources of a folder with a kustomization.yaml. */
export function render(folder: string): Fields[] {
  return apply([], folder);
}

function apply(given: Fields[], folder: string): Fields[] {
  const spec = readKustomization(folder);
  let resources = [...given];
  for (const path of asList(spec["resources"] ?? []))
    resources.push(...load(join(folder, asText(path))));
  for (const path of asList(spec["components"] ?? []))
    resources = apply(resources, join(folder, asText(path)));
  for (const generator of mappings(spec["configMapGenerator"])) {
    const generated = generateConfigMap(folder, generator);
    referTo(resources, generated);
    resources.push(generated.resource);
  }
  for (const patch of mappings(spec["patches"])) resources = patchAll(resources, folder, patch);
  for (const image of mappings(spec["images"])) resources.forEach((each) => setImage(each, image));
  if (spec["namespace"] !== undefined) {
    for (const resource of resources)
      asFields(resource["metadata"])["namespace"] = spec["namespace"];
  }
  return resources;
}

function readKustomization(folder: string): Fields {
  const spec = asFields(parse(readFileSync(join(folder, "kustomization.yaml"), "utf8")));
  for (const key of Object.keys(spec))
    if (!KNOWN.includes(key)) throw new Error(`This renderer knows no "${key}" in ${folder}`);
  return spec;
}

function load(path: string): Fields[] {
  if (statSync(path).isDirectory()) return render(path);
  return parseAllDocuments(readFileSync(path, "utf8")).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors.join("; ")}`);
    return asFields(document.toJS());
  });
}

function patchAll(resources: readonly Fields[], folder: string, spec: Fields): Fields[] {
  const text = asText(spec["patch"] ?? readFileSync(join(folder, asText(spec["path"])), "utf8"));
  const patch: unknown = parse(text);
  let patched = 0;
  const result = resources.map((resource) => {
    if (!isTarget(resource, spec["target"] ?? patch)) return resource;
    patched += 1;
    return Array.isArray(patch)
      ? applyJsonPatch(resource, patch)
      : mergeStrategic(resource, asFields(patch));
  });
  if (patched === 0) throw new Error(`A patch in ${folder} meets no resource: ${text}`);
  return result;
}

/** A target, or a patch that is a resource itself, names what it is for. */
function isTarget(resource: Fields, target: unknown): boolean {
  const fields = asFields(target);
  if (fields["metadata"] !== undefined) return isSameResource(resource, fields);
  return (
    (fields["kind"] === undefined || fields["kind"] === resource["kind"]) &&
    (fields["name"] === undefined || fields["name"] === nameOf(resource))
  );
}

function setImage(resource: Fields, { name, newName, newTag, digest }: Fields): void {
  const pod = at(resource, "spec", "template", "spec");
  for (const list of ["initContainers", "containers"]) {
    for (const container of mappings(at(pod, list))) {
      const [, image, suffix = ""] =
        /^(.*?)((?:[:@][^/]*)?)$/.exec(asText(container["image"])) ?? [];
      if (image !== name) continue;
      const tag = newTag === undefined ? suffix : `:${asText(newTag)}`;
      container["image"] =
        `${asText(newName ?? image)}${digest === undefined ? tag : `@${asText(digest)}`}`;
    }
  }
}

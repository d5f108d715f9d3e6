import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { asFields, asList, asText, at, isFields, type Fields } from "./fields.ts";
import { nameOf } from "./strategic-merge.ts";

const KNOWN = ["name", "files", "literals", "options"];
/** Digits that could make words, and what stands for them. */
const HARMLESS: Readonly<Record<string, string>> = { 0: "g", 1: "h", 3: "k", a: "m", e: "t" };
const HASH_LENGTH = 10;

/** A config map of a generator, and the name by which the other resources know it. */
export interface Generated {
  readonly plainName: string;
  readonly resource: Fields;
}

/** Makes a config map from files and literals; a hash of them becomes part of its name. */
export function generateConfigMap(folder: string, spec: Fields): Generated {
  for (const key of Object.keys(spec))
    if (!KNOWN.includes(key)) throw new Error(`This renderer knows no "${key}" of a generator`);
  const plainName = asText(spec["name"]);
  const data = Object.fromEntries([
    ...asList(spec["files"] ?? []).map((file) => fileEntry(folder, asText(file))),
    ...asList(spec["literals"] ?? []).map((literal) => splitOnce(asText(literal))),
  ]) as Readonly<Record<string, string>>;
  const options = asFields(spec["options"] ?? {});
  const isPlain = options["disableNameSuffixHash"] === true;
  const name = isPlain ? plainName : `${plainName}-${hashOf(data)}`;
  const labels = isFields(options["labels"]) ? { labels: options["labels"] } : {};
  const resource = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...labels }, data };
  return { plainName, resource };
}

/** Has the volumes of every pod name the generated config map. */
export function referTo(resources: readonly Fields[], { plainName, resource }: Generated): void {
  for (const candidate of resources) {
    for (const volume of asList(at(candidate, "spec", "template", "spec", "volumes") ?? [])) {
      const source = at(volume, "configMap");
      if (isFields(source) && source["name"] === plainName) source["name"] = nameOf(resource);
    }
  }
}

function fileEntry(folder: string, file: string): readonly [string, string] {
  const [key, path] = file.includes("=") ? splitOnce(file) : [basename(file), file];
  return [key, readFileSync(join(folder, path), "utf8")];
}

function splitOnce(text: string): readonly [string, string] {
  const index = text.indexOf("=");
  return [text.slice(0, index), text.slice(index + 1)];
}

function hashOf(data: Readonly<Record<string, string>>): string {
  const sorted = Object.fromEntries(Object.entries(data).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  // kustomize leaves the name empty, and Go escapes these in JSON.
  const json = JSON.stringify({ data: sorted, kind: "ConfigMap", name: "" }).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const digest = createHash("sha256").update(json).digest("hex").slice(0, HASH_LENGTH);
  return digest.replaceAll(/[013ae]/g, (digit) => HARMLESS[digit] ?? digit);
}

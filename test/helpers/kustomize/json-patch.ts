import assert from "node:assert/strict";
import { asFields, asText, isFields, type Fields } from "./fields.ts";

/** Applies the operations of a JSON patch (RFC 6902) to a copy of a resource. */
export function applyJsonPatch(resource: Fields, operations: readonly unknown[]): Fields {
  const patched = structuredClone(resource);
  for (const operation of operations) apply(patched, asFields(operation));
  return patched;
}

function apply(root: Fields, operation: Fields): void {
  const path = asText(operation["path"]);
  switch (operation["op"]) {
    case "add":
      return add(root, path, operation["value"]);
    case "remove":
      return void remove(root, path);
    case "replace":
      remove(root, path);
      return add(root, path, operation["value"]);
    case "move":
      return add(root, path, remove(root, asText(operation["from"])));
    case "test":
      return assert.deepEqual(read(root, path), operation["value"], `test of ${path}`);
    default:
      throw new Error(`This renderer knows no operation ${JSON.stringify(operation["op"])}`);
  }
}

function add(root: Fields, path: string, value: unknown): void {
  const { parent, key } = locate(root, path);
  if (!Array.isArray(parent)) parent[key] = value;
  else parent.splice(key === "-" ? parent.length : Number(key), 0, value);
}

function remove(root: Fields, path: string): unknown {
  const value = read(root, path);
  const { parent, key } = locate(root, path);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return value;
}

function read(root: Fields, path: string): unknown {
  const { parent, key } = locate(root, path);
  const value: unknown = Array.isArray(parent) ? parent[Number(key)] : parent[key];
  if (value === undefined) throw new Error(`Nothing is at ${path}`);
  return value;
}

interface Place {
  readonly parent: Fields | unknown[];
  readonly key: string;
}

function locate(root: Fields, path: string): Place {
  const steps = path
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const key = steps.pop() ?? "";
  let parent: unknown = root;
  for (const step of steps)
    parent = Array.isArray(parent) ? parent[Number(step)] : asFields(parent)[step];
  if (!isFields(parent) && !Array.isArray(parent)) throw new Error(`Nothing is at ${path}`);
  return { parent, key };
}

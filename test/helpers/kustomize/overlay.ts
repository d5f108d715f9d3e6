import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { Scope } from "../scope.ts";
import { tempDir } from "../temp-dir.ts";
import type { Fields } from "./fields.ts";

/** The manifests we ship. */
export const K8S: string = fileURLToPath(new URL("../../../k8s/", import.meta.url));

export const COMPONENTS = ["podmonitor", "lb-probe", "classic"] as const;
export type Component = (typeof COMPONENTS)[number];

export interface OverlayOptions {
  /** In this order (none). */
  readonly components?: readonly Component[];
  /** Further fields of the kustomization. */
  readonly more?: Fields;
}

/** Writes what a user of `k8s/` writes: a folder that names the base and components. Returns its path. */
export async function writeOverlay(
  scope: Scope,
  { components = [], more = {} }: OverlayOptions = {},
): Promise<string> {
  const folder = join(await tempDir(scope), "overlay");
  await mkdir(folder);
  const to = (path: string): string => relative(folder, join(K8S, path));
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [to("base")],
    components: components.map((name) => to(`components/${name}`)),
    ...more,
  };
  await writeFile(join(folder, "kustomization.yaml"), stringify(kustomization));
  return folder;
}

/** Every way to choose components; classic comes last, as its own words demand. */
export function everyChoice(): Component[][] {
  let choices: Component[][] = [[]];
  for (const component of COMPONENTS)
    choices = choices.flatMap((choice) => [choice, [...choice, component]]);
  return choices;
}

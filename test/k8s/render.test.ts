import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { asFields, asText, at, mappings, type Fields } from "../helpers/kustomize/fields.ts";
import { everyChoice, K8S, writeOverlay } from "../helpers/kustomize/overlay.ts";
import { render } from "../helpers/kustomize/render.ts";
import { nameOf } from "../helpers/kustomize/strategic-merge.ts";

const MORE = {
  namespace: "shop",
  images: [
    { name: "example/app", newName: "registry.example:5000/shop", newTag: "1.2" },
    { name: "nginxinc/nginx-unprivileged", newTag: "1.31" },
  ],
};

/** Ready-made kustomize, of which the suite needs none. */
const KUSTOMIZE = [
  ["kustomize", "build"],
  ["kubectl", "kustomize"],
].find(isKustomize5);

describe("the manifests", () => {
  for (const components of everyChoice()) {
    it(`render with ${components.join(", ") || "no component"}`, async (t) => {
      const folder = await writeOverlay(t, { components, more: MORE });
      const resources = render(folder);
      const pod = at(find(resources, "Deployment"), "spec", "template", "spec");
      const [sidecars, containers] = [namesOf(pod, "initContainers"), namesOf(pod, "containers")];
      if (components.includes("classic"))
        assert.deepEqual([sidecars, containers.toSorted()], [[], ["nginx", "outrigger"]]);
      else assert.deepEqual([sidecars, containers], [["outrigger"], ["nginx"]]);
      const images = ["initContainers", "containers"].flatMap((list) =>
        mappings(at(pod, list)).map(({ image }) => asText(image)),
      );
      assert.deepEqual(images.toSorted(), [
        "nginxinc/nginx-unprivileged:1.31",
        "registry.example:5000/shop:1.2",
      ]);
      if (KUSTOMIZE !== undefined)
        assert.deepEqual(byIdentity(resources), byIdentity(kustomize(folder, KUSTOMIZE)));
    });
  }

  it("render the monitoring folder", () => {
    const resources = render(`${K8S}monitoring`);
    assert.deepEqual(
      resources.map(({ kind }) => kind),
      ["ConfigMap", "ConfigMap"],
    );
    if (KUSTOMIZE !== undefined)
      assert.deepEqual(byIdentity(resources), byIdentity(kustomize(`${K8S}monitoring`, KUSTOMIZE)));
  });

  it("are refused by the renderer where it does not know what kustomize would do", async (t) => {
    const folder = await writeOverlay(t, { more: { namePrefix: "a-" } });
    assert.throws(() => render(folder), /knows no "namePrefix"/);
  });

  it("roll out anew when nginx is configured anew: the name of its config map has a hash", () => {
    const resources = render(`${K8S}base`);
    const name = nameOf(find(resources, "ConfigMap"));
    assert.match(name, /^outrigger-nginx-[\w]{10}$/);
    const volumes = at(find(resources, "Deployment"), "spec", "template", "spec", "volumes");
    const [conf] = mappings(volumes).filter((volume) => volume["name"] === "nginx-conf");
    assert.equal(at(conf, "configMap", "name"), name);
  });
});

function isKustomize5([command = ""]: readonly string[]): boolean {
  const args = command === "kubectl" ? ["version", "--client"] : ["version"];
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 && /^(?:Kustomize Version: )?v5\./m.test(stdout);
}

function kustomize(folder: string, [command = "", ...args]: readonly string[]): Fields[] {
  const { status, stdout, stderr } = spawnSync(command, [...args, folder], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return parseAllDocuments(stdout).map((document) => asFields(document.toJS()));
}

function find(resources: readonly Fields[], kind: string): Fields {
  const found = resources.find((resource) => resource["kind"] === kind);
  assert.ok(found !== undefined, `no ${kind}`);
  return found;
}

function namesOf(pod: unknown, list: string): string[] {
  return mappings(at(pod, list)).map(({ name }) => asText(name));
}

function byIdentity(resources: readonly Fields[]): Fields {
  return Object.fromEntries(
    resources.map((resource) => [`${String(resource["kind"])}/${nameOf(resource)}`, resource]),
  );
}

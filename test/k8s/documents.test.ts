import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { parse, stringify } from "yaml";
import { blocksOf, commandsOf } from "../helpers/documents.ts";
import { asFields, asText, at, mappings, type Fields } from "../helpers/kustomize/fields.ts";
import { K8S } from "../helpers/kustomize/overlay.ts";
import { render } from "../helpers/kustomize/render.ts";
import { problemsOf } from "../helpers/kustomize/schema.ts";
import { RULES } from "../helpers/monitoring.ts";
import { needs } from "../helpers/needs.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { findTool } from "../tools.ts";

const DOCUMENTS = ["docs/kubernetes.md", "docs/runbooks.md"];

/** A way to run a command, without a cluster. */
interface Way {
  readonly pattern: RegExp;
  readonly run: (command: string, t: TestContext) => Promise<void>;
}

const WAYS: readonly Way[] = [
  {
    pattern: /^kubectl (?:kustomize|apply -k) (\S+)/,
    run: async (command, t) => {
      const [, folder = ""] = /(?:kustomize|-k) (\S+)/.exec(command) ?? [];
      const resources = render(join(await checkOut(t), folder));
      assert.ok(resources.length > 0);
      for (const resource of resources) assert.deepEqual(await problemsOf(resource), []);
    },
  },
  {
    pattern: /^\(.*\) \| kubectl apply -n monitoring -f -$/,
    run: async (command, t) => {
      const [made = ""] = command.split(" | kubectl");
      const { status, stdout } = spawnSync("sh", ["-c", made], {
        cwd: await checkOut(t),
        encoding: "utf8",
      });
      assert.equal(status, 0);
      const resource = asFields(parse(stdout));
      assert.equal(resource["kind"], "PrometheusRule");
      assert.deepEqual(await problemsOf(resource), []);
      const rules = mappings(at(resource, "spec", "groups")).flatMap((group) =>
        mappings(group["rules"]),
      );
      assert.deepEqual(rules, RULES);
    },
  },
  {
    pattern: /^promtool /,
    run: async (command, t) => {
      const [, ...args] = command.split(" ");
      const cwd = await checkOut(t);
      const { status, stderr } = spawnSync(findTool("promtool") ?? "", args, {
        cwd,
        encoding: "utf8",
      });
      assert.equal(status, 0, stderr);
    },
  },
  // These are run in a real container by test/containers/pod.test.ts.
  {
    pattern: /^kubectl exec deploy\/outrigger -c outrigger .*-- outrigger \w+/,
    run: async () => {},
  },
  { pattern: /^kubectl logs deploy\/outrigger -c outrigger( |$)/, run: async () => {} },
  // Only a cluster can tell.
  { pattern: /^kubectl (create|label) namespace shop( |$)/, run: async () => {} },
  { pattern: /^kubectl rollout status deploy\/outrigger( |$)/, run: async () => {} },
];

for (const document of DOCUMENTS) {
  describe(document, needs("promtool"), () => {
    for (const command of commandsOf(document)) {
      it(`has a command that works: ${command}`, async (t) => {
        const way = WAYS.find(({ pattern }) => pattern.test(command));
        assert.ok(way !== undefined, "there is no way to run it here");
        await way.run(command, t);
      });
    }
  });
}

describe("docs/kubernetes.md", () => {
  it("patches the container that runs the app", async (t) => {
    const deployment = render(join(await checkOut(t), "shop")).find(
      ({ kind }) => kind === "Deployment",
    );
    const [sidecar] = mappings(at(deployment, "spec", "template", "spec", "initContainers"));
    assert.equal(sidecar?.["image"], "registry.example/shop:1.0");
    const variables = mappings(sidecar["env"]).map(({ name }) => asText(name));
    assert.ok(variables.includes("DATABASE_URL") && variables.includes("OUTRIGGER_SOCKET"));
  });

  it("makes the pod classic with the components it names", async (t) => {
    const dir = await checkOut(t);
    const [overlay, classic] = kustomizations();
    assert.ok(overlay !== undefined && classic !== undefined);
    const { patches: _, ...rest } = overlay;
    const folder = join(dir, "classic");
    mkdirSync(folder);
    const text = JSON.stringify({ ...rest, ...classic });
    writeFileSync(join(folder, "kustomization.yaml"), text);
    const deployment = render(folder).find(({ kind }) => kind === "Deployment");
    const pod = at(deployment, "spec", "template", "spec");
    assert.equal(at(pod, "initContainers"), undefined);
    assert.equal(mappings(at(pod, "containers")).length, 2);
  });

  it("configures Prometheus so that it takes it", needs("promtool"), async (t) => {
    const text = blocksOf("docs/kubernetes.md", "yaml").find((one) =>
      one.includes("scrape_configs"),
    );
    const configuration = asFields(parse(text ?? ""));
    for (const scraping of mappings(configuration["scrape_configs"])) {
      assert.deepEqual(scraping["kubernetes_sd_configs"], [{ role: "pod" }]);
      // Debian builds its Prometheus without this.
      delete scraping["kubernetes_sd_configs"];
    }
    const file = join(await tempDir(t), "prometheus.yaml");
    writeFileSync(file, stringify(configuration));
    const { status, stdout, stderr } = spawnSync(
      findTool("promtool") ?? "",
      ["check", "config", file],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stdout + stderr);
  });

  it("has the numbers of the manifests", () => {
    const text = readFileSync(new URL("../../docs/kubernetes.md", import.meta.url), "utf8");
    for (const row of [
      "| 15 s | `preStop",
      "| 30 s | `worker_shutdown_timeout`",
      "| 10 s | `OUTRIGGER_GRACE_PERIOD`, sidecar",
      "| 50 s | `OUTRIGGER_GRACE_PERIOD`, classic",
      "| 60 s | `terminationGracePeriodSeconds`",
    ])
      assert.ok(text.includes(row), row);
  });
});

/** The manifests beside the folder that the document has its reader make. */
async function checkOut(t: TestContext): Promise<string> {
  const dir = await tempDir(t);
  cpSync(K8S, join(dir, "k8s"), { recursive: true });
  mkdirSync(join(dir, "shop"));
  const [overlay] = blocksOf("docs/kubernetes.md", "yaml");
  writeFileSync(join(dir, "shop/kustomization.yaml"), overlay ?? "");
  return dir;
}

/** The whole kustomization of the document, and the part that makes it classic. */
function kustomizations(): Fields[] {
  return blocksOf("docs/kubernetes.md", "yaml")
    .map((block) => asFields(parse(block)))
    .filter((block) => block["components"] !== undefined);
}

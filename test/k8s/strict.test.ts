import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  asFields,
  asList,
  asNumber,
  at,
  mappings,
  type Fields,
} from "../helpers/kustomize/fields.ts";
import { applyJsonPatch } from "../helpers/kustomize/json-patch.ts";
import { everyChoice, K8S, writeOverlay } from "../helpers/kustomize/overlay.ts";
import { brokenRules } from "../helpers/kustomize/pod-security.ts";
import { render } from "../helpers/kustomize/render.ts";
import { problemsOf } from "../helpers/kustomize/schema.ts";

const PORT_FIELDS = new Set(["port", "targetPort", "portNumber", "containerPort"]);

describe("every choice of components", () => {
  for (const components of everyChoice()) {
    const name = components.join(", ") || "none";

    it(`is valid, no field unknown: ${name}`, async (t) => {
      for (const resource of render(await writeOverlay(t, { components })))
        assert.deepEqual([resource["kind"], await problemsOf(resource)], [resource["kind"], []]);
    });

    it(`is "restricted" by the Pod Security Standards: ${name}`, async (t) => {
      const pod = podOf(render(await writeOverlay(t, { components })));
      assert.deepEqual(brokenRules(pod), []);
      for (const container of [...mappings(pod["initContainers"]), ...mappings(pod["containers"])])
        assert.equal(at(container, "securityContext", "readOnlyRootFilesystem"), true);
    });

    it(`uses numbers for ports, and gives the stop the time it takes: ${name}`, async (t) => {
      const resources = render(await writeOverlay(t, { components }));
      assert.deepEqual(
        resources.flatMap((resource) => namedPorts(resource)),
        [],
      );
      const pod = podOf(resources);
      const all = [...mappings(pod["initContainers"]), ...mappings(pod["containers"])];
      const [nginx] = all.filter((container) => container["name"] === "nginx");
      const sleep = asNumber(at(nginx, "lifecycle", "preStop", "sleep", "seconds"));
      const conf = String(at(find(resources, "ConfigMap"), "data", "nginx.conf"));
      const [, cut = ""] = /worker_shutdown_timeout (\d+)s;/.exec(conf) ?? [];
      const [, grace = ""] =
        /^(\d+)s$/.exec(environmentOf(all)["OUTRIGGER_GRACE_PERIOD"] ?? "") ?? [];
      const isClassic = components.includes("classic");
      const needed = isClassic ? Number(grace) : sleep + Number(cut) + Number(grace);
      assert.ok(asNumber(pod["terminationGracePeriodSeconds"]) >= needed + 5, `${needed}s needed`);
      if (isClassic) assert.ok(Number(grace) >= sleep + Number(cut) + 5);
    });
  }
});

describe("the strict schema", () => {
  const plants: readonly (readonly [string, unknown, RegExp])[] = [
    ["/spec/template/spec/initContainers/0/restartpolicy", "Always", /restartpolicy: unknown/],
    [
      "/spec/template/spec/containers/0/lifecycle/preStop/sleep/second",
      3,
      /sleep\/second: unknown/,
    ],
    ["/spec/template/spec/volumes/0/emptyDir/sizelimit", "1Mi", /sizelimit: unknown/],
    ["/spec/template/spec/initContainers/0/env/0/vale", "x", /env\/0\/vale: unknown/],
    ["/spec/strategy/rollingUpdate/maxSurges", 1, /maxSurges: unknown/],
    ["/metadata/lables", {}, /lables: unknown/],
    [
      "/spec/template/spec/terminationGracePeriodSeconds",
      "60",
      /terminationGracePeriodSeconds: type/,
    ],
  ];
  for (const [path, value, expected] of plants) {
    it(`refuses ${path}: ${JSON.stringify(value)}`, async () => {
      const deployment = find(render(`${K8S}base`), "Deployment");
      const wrong = applyJsonPatch(deployment, [{ op: "add", path, value }]);
      const problems = await problemsOf(wrong);
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.match(problems[0] ?? "", expected);
    });
  }

  it("refuses a list that lacks what is required, and unknown fields of other kinds", async (t) => {
    const resources = render(await writeOverlay(t, { components: ["podmonitor"] }));
    const bare = applyJsonPatch(find(resources, "Deployment"), [
      { op: "remove", path: "/spec/selector" },
    ]);
    assert.match((await problemsOf(bare)).join(), /required/);
    const monitor = applyJsonPatch(find(resources, "PodMonitor"), [
      { op: "add", path: "/spec/podMetricsEndpoints/0/relabellings", value: [] },
    ]);
    assert.match((await problemsOf(monitor)).join(), /relabellings: unknown/);
  });
});

describe("the profile", () => {
  const sidecar = "/initContainers/0";
  const plants: readonly (readonly [string, unknown, RegExp])[] = [
    ["/hostNetwork", true, /host namespaces/],
    [`${sidecar}/securityContext/privileged`, true, /privileged/],
    [`${sidecar}/securityContext/capabilities/drop`, [], /capabilities: outrigger does not drop/],
    [`${sidecar}/securityContext/capabilities/add`, ["SYS_ADMIN"], /adds SYS_ADMIN/],
    ["/volumes/0/hostPath", { path: "/run" }, /volume types: socket is hostPath/],
    [`${sidecar}/ports/0/hostPort`, 9464, /host ports/],
    [`${sidecar}/livenessProbe/httpGet/host`, "169.254.169.254", /host of probes/],
    ["/securityContext/appArmorProfile", { type: "Unconfined" }, /AppArmor/],
    ["/securityContext/seLinuxOptions", { type: "spc_t" }, /SELinux/],
    [`${sidecar}/securityContext/procMount`, "Unmasked", /\/proc mount/],
    ["/securityContext/sysctls", [{ name: "kernel.msgmax", value: "1" }], /sysctls/],
    [`${sidecar}/securityContext/allowPrivilegeEscalation`, true, /privilege escalation/],
    ["/securityContext/runAsNonRoot", false, /running as non-root: /],
    [`${sidecar}/securityContext/runAsUser`, 0, /running as non-root user/],
    ["/securityContext/seccompProfile", { type: "Unconfined" }, /seccomp: /],
    [`${sidecar}/securityContext/windowsOptions`, { hostProcess: true }, /host process/],
  ];
  for (const [path, value, expected] of plants) {
    it(`refuses ${path}: ${JSON.stringify(value)}`, () => {
      const pod = podOf(render(`${K8S}base`));
      const broken = brokenRules(applyJsonPatch(pod, [{ op: "add", path, value }]));
      assert.match(broken.join("\n"), expected);
    });
  }
});

function podOf(resources: readonly Fields[]): Fields {
  return asFields(at(find(resources, "Deployment"), "spec", "template", "spec"));
}

function find(resources: readonly Fields[], kind: string): Fields {
  const found = resources.find((resource) => resource["kind"] === kind);
  assert.ok(found !== undefined, `no ${kind}`);
  return found;
}

function environmentOf(containers: readonly Fields[]): Readonly<Record<string, string>> {
  const variables = containers.flatMap(({ env }) => mappings(env));
  return Object.fromEntries(variables.map(({ name, value }) => [String(name), String(value)]));
}

/** Where a port is named instead of numbered. */
function namedPorts(value: unknown): string[] {
  if (Array.isArray(value)) return asList(value).flatMap(namedPorts);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) =>
    PORT_FIELDS.has(name) && typeof field === "string" ? [`${name}: ${field}`] : namedPorts(field),
  );
}

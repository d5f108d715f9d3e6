import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "yaml";
import {
  asFields,
  asText,
  at,
  isFields,
  mappings,
  type Fields,
} from "../helpers/kustomize/fields.ts";
import { K8S } from "../helpers/kustomize/overlay.ts";
import { brokenRules } from "../helpers/kustomize/pod-security.ts";
import { render } from "../helpers/kustomize/render.ts";
import { problemsOf } from "../helpers/kustomize/schema.ts";
import { runProgram } from "../helpers/run-program.ts";
import type { Scope } from "../helpers/scope.ts";

/** What is said in another way: here by flags, there by variables and the image. */
const SAID_OTHERWISE = ["args", "command"];

describe("outrigger print kubernetes", () => {
  it("prints nothing but what k8s/base has, for the same settings", async (t) => {
    const base = basePod();
    const [sidecar] = mappings(base["initContainers"]);
    const env = environmentOf(sidecar);
    const { stdout, stderr } = await runProgram(t, ["print", "kubernetes"], { env });
    assert.equal(stderr, "");
    const printed = asFields(asFields(parse(stdout))["spec"]);
    assert.deepEqual(differences(printed, base, "spec"), []);
    const args = at(printed, "initContainers", 0, "args");
    assert.ok(Array.isArray(args));
    assert.deepEqual(await settings(t, args.map(asText), {}), await settings(t, ["./app.js"], env));
  });

  it("prints a pod that is valid and restricted", async (t) => {
    const { stdout } = await runProgram(t, [
      "print",
      "kubernetes",
      "--socket",
      "/run/app/app.sock",
    ]);
    const spec = asFields(asFields(parse(stdout))["spec"]);
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "app" }, spec };
    assert.deepEqual(await problemsOf(pod), []);
    assert.deepEqual(brokenRules(spec), []);
  });
});

describe("the configuration of nginx", () => {
  const conf = readFileSync(`${K8S}base/nginx.conf`, "utf8");

  it("is that of compose.yaml", () => {
    assert.equal(conf, readFileSync(`${K8S}../docker/nginx.conf`, "utf8"));
  });

  it("contains what outrigger print nginx writes", async (t) => {
    const [sidecar] = mappings(basePod()["initContainers"]);
    const { stdout } = await runProgram(t, ["print", "nginx"], { env: environmentOf(sidecar) });
    const lines = conf.split("\n").map((line) => line.trim());
    assert.deepEqual(
      stdout.split("\n").filter((line) => !lines.includes(line.trim())),
      [],
    );
  });
});

function basePod(): Fields {
  const deployment = render(`${K8S}base`).find(({ kind }) => kind === "Deployment");
  return asFields(at(deployment, "spec", "template", "spec"));
}

function environmentOf(container: Fields | undefined): Record<string, string> {
  const variables = mappings(container?.["env"]);
  return Object.fromEntries(variables.map(({ name, value }) => [asText(name), asText(value)]));
}

/** The effective settings of a command line and variables. */
async function settings(
  scope: Scope,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<unknown> {
  const { stdout } = await runProgram(scope, [...args, "--print-config"], { env });
  return JSON.parse(stdout);
}

/** Where the first says something that the second does not say; items of lists are found by their names. */
function differences(printed: unknown, base: unknown, path: string): string[] {
  if (isFields(printed)) {
    return Object.entries(printed)
      .filter(([name]) => !SAID_OTHERWISE.includes(name))
      .flatMap(([name, value]) => differences(value, at(base, name), `${path}.${name}`));
  }
  if (Array.isArray(printed) && Array.isArray(base)) {
    return printed.flatMap((item: unknown, index) =>
      differences(item, isFields(item) ? partner(item, base) : base[index], `${path}[${index}]`),
    );
  }
  return printed === base
    ? []
    : [`${path}: ${JSON.stringify(printed)}, not ${JSON.stringify(base)}`];
}

function partner(item: Fields, list: readonly unknown[]): unknown {
  const key = ["name", "containerPort"].find((one) => item[one] !== undefined) ?? "";
  return list.find((candidate) => at(candidate, key) === item[key]);
}

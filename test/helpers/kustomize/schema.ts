/** Strict validation against the schemas of Kubernetes and of the Prometheus Operator, without a cluster. */
import { asText, type Fields } from "./fields.ts";

interface Problem {
  readonly instancePath: string;
  readonly message?: string;
  readonly keyword?: string;
  readonly params?: unknown;
}

interface Validator {
  (value: unknown): boolean;
  readonly errors?: readonly Problem[] | null;
}

/** Begin the paths of generated validators, which not every package exports by name. */
const CORE = new URL("_schemas/IoK8sApi", import.meta.resolve("kubernetes-models"));
const OPERATOR = new URL(
  "_schemas/ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoring",
  import.meta.resolve("@kubernetes-models/prometheus-operator"),
);
const SCHEMAS: Readonly<Record<string, string>> = {
  "v1/ConfigMap": `${CORE.href}CoreV1ConfigMap.js`,
  "v1/Pod": `${CORE.href}CoreV1Pod.js`,
  "v1/Service": `${CORE.href}CoreV1Service.js`,
  "apps/v1/Deployment": `${CORE.href}AppsV1Deployment.js`,
  "autoscaling/v2/HorizontalPodAutoscaler": `${CORE.href}AutoscalingV2HorizontalPodAutoscaler.js`,
  "networking.k8s.io/v1/NetworkPolicy": `${CORE.href}NetworkingV1NetworkPolicy.js`,
  "policy/v1/PodDisruptionBudget": `${CORE.href}PolicyV1PodDisruptionBudget.js`,
  "monitoring.coreos.com/v1/PodMonitor": `${OPERATOR.href}V1PodMonitor.js`,
  "monitoring.coreos.com/v1/PrometheusRule": `${OPERATOR.href}V1PrometheusRule.js`,
};

/** What an API server that validates strictly would refuse, one line each: wrong values and unknown fields. */
export async function problemsOf(resource: Fields): Promise<string[]> {
  const validate = await validatorOf(resource);
  const known = new Set<string>();
  const isValid = validate(watch(resource, "", known));
  const wrong = isValid ? [] : (validate.errors ?? []).map(describe);
  const unknown = pathsOf(resource, "").filter((path) => !known.has(path));
  return [...wrong, ...unknown.map((path) => `${path}: unknown field`)];
}

async function validatorOf(resource: Fields): Promise<Validator> {
  const type = `${asText(resource["apiVersion"])}/${asText(resource["kind"])}`;
  const schema = SCHEMAS[type];
  if (schema === undefined) throw new Error(`No schema is known for ${type}`);
  const module: unknown = await import(schema);
  if (typeof module !== "object" || module === null || !("validate" in module))
    throw new Error(`${schema} has no validator`);
  return module.validate as Validator;
}

/**
 * The generated validators pass over fields they do not know. So they are given an object that notes what they
 * read: a field nobody asked for is one the schema does not have.
 */
function watch(value: unknown, path: string, known: Set<string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, name) {
      const field: unknown = Reflect.get(target, name);
      if (typeof name === "symbol" || !Object.hasOwn(target, name)) return field;
      const way = `${path}/${name}`;
      known.add(way);
      return watch(field, way, known);
    },
  });
}

/** Every field of a value; below one that is unknown, none. */
function pathsOf(value: unknown, path: string): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => [
    `${path}/${name}`,
    ...pathsOf(field, `${path}/${name}`),
  ]);
}

function describe({ instancePath, message, keyword, params }: Problem): string {
  return `${instancePath}: ${message ?? `${keyword} ${JSON.stringify(params)}`}`;
}

import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { formatFlags } from "./flags.ts";
import { formatShort, requireOps, requireSocket } from "./target.ts";
import { quoteYaml } from "./yaml.ts";

/** How long nginx goes on accepting while load balancers learn that the pod goes. */
const PRE_STOP_SECONDS = 15;
/** What nginx may take for its last requests: its `worker_shutdown_timeout`. */
const NGINX_SECONDS = 30;
const MARGIN_SECONDS = 5;
const DEFAULT_GROUP = "2000";

/** Writes the pod spec of nginx with Outrigger as its native sidecar, as k8s/base has it. Ports are numbers: named ones of sidecars do not resolve before 1.32. */
export function printKubernetes(config: Config, plain: Config): string {
  const { path, group } = requireSocket(config);
  const ops = requireOps(config);
  const args = [config.app, ...formatFlags(config, plain), `--ops=${formatShort(ops)}`];
  const graceSeconds = Math.ceil(config.drain.gracePeriodMs / 1000);
  const podSeconds = PRE_STOP_SECONDS + NGINX_SECONDS + graceSeconds + MARGIN_SECONDS;
  const ports = [ops.port, config.probe?.port ?? 0].filter((port) => port > 0);
  const mount = quoteYaml(dirname(path));
  return `spec:
  # ${PRE_STOP_SECONDS}s preStop, ${NGINX_SECONDS}s worker_shutdown_timeout of nginx, ${graceSeconds}s --grace-period, ${MARGIN_SECONDS}s to spare
  terminationGracePeriodSeconds: ${podSeconds}
  securityContext:
    runAsNonRoot: true
    fsGroup: ${/^\d+$/.test(group ?? "") ? group : DEFAULT_GROUP}
    seccompProfile: { type: RuntimeDefault }
  initContainers:
    - name: outrigger
      image: example/app
      restartPolicy: Always # a native sidecar: starts before nginx, stops after it
      command: ["node_modules/.bin/outrigger"]
      args:
${args.map((arg) => `        - ${quoteYaml(arg)}`).join("\n")}
      ports:
${ports.map((port) => `        - containerPort: ${port}`).join("\n")}
      startupProbe:
        httpGet: { path: /startupz, port: ${ops.port} }
        periodSeconds: 1
        timeoutSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: ${ops.port} }
        periodSeconds: 10
        timeoutSeconds: 2
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /readyz, port: ${ops.port} }
        periodSeconds: 5
        timeoutSeconds: 2
        failureThreshold: 2
${formatSecurity(1000)}
      volumeMounts:
        - { name: socket, mountPath: ${mount} }
  containers:
    - name: nginx
      image: nginxinc/nginx-unprivileged:1.30
      ports:
        - containerPort: 8080
      lifecycle: { preStop: { sleep: { seconds: ${PRE_STOP_SECONDS} } } }
${formatSecurity(101)}
      volumeMounts:
        - { name: socket, mountPath: ${mount} }
        - { name: tmp, mountPath: /tmp }
  volumes:
    - name: socket
      emptyDir: { medium: Memory, sizeLimit: 1Mi }
    - name: tmp
      emptyDir: { sizeLimit: 1Gi }
`;
}

/** What the profile "restricted" of the Pod Security Standards asks for, and a root file system nobody writes to. */
function formatSecurity(user: number): string {
  return `      securityContext:
        runAsUser: ${user}
        runAsGroup: ${user}
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }`;
}

import type { OpsEndpoint } from "../config/config.ts";
import { formatHostPort } from "../host-port.ts";
import type { Finding } from "./finding.ts";

const LOOPBACK = /^(?:127\.|::1$|localhost$)/;

/** Whether those who ask a pod from outside reach a port of ours that is for them. */
export function checkOpsReach(
  name: "ops" | "probe",
  endpoint: OpsEndpoint | undefined,
  isInPod: boolean,
): readonly Finding[] {
  if (!isInPod || endpoint === undefined) return [];
  const address = formatHostPort(endpoint);
  if (!LOOPBACK.test(endpoint.host))
    return [{ level: "ok", about: name, text: `${address} can be reached from outside the pod` }];
  const who = name === "ops" ? "a kubelet and Prometheus" : "load balancers";
  return [
    {
      level: "warn",
      about: name,
      text: `${address} is out of reach for ${who}, who come from outside the pod`,
      change: `set --${name} :${endpoint.port}`,
    },
  ];
}

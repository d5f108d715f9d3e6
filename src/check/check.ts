import { checkCertificate } from "./certificate.ts";
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { checkGrace } from "./grace.ts";
import { checkKeepAlives } from "./keep-alive.ts";
import { checkOpsReach } from "./ops-reach.ts";
import { checkOccupant } from "./occupant.ts";
import { checkAddress } from "./path-length.ts";
import { checkQueue } from "./queue.ts";
import { checkReach } from "./reach.ts";
import { checkSharedMemory } from "./shared-memory.ts";
import { checkUntilGone } from "./until-gone.ts";

/** Everything there is to say about a configuration in its surroundings, endpoint by endpoint. */
export function checkAll(facts: Facts): readonly Finding[] {
  const { config, sockets, certificates, nginx, somaxconn } = facts;
  const perEndpoint = config.endpoints.flatMap((endpoint) => {
    const socket = sockets.find((one) => one.endpoint.name === endpoint.name);
    return [
      ...checkAddress(endpoint),
      ...(socket === undefined ? [] : [...checkOccupant(socket), ...checkReach(socket, nginx)]),
      ...checkQueue(endpoint, somaxconn),
      ...certificates.filter((one) => one.endpoint === endpoint.name).map(checkCertificate),
    ];
  });
  return [
    ...perEndpoint,
    ...checkGrace(config.drain, facts.podGraceMs),
    ...checkUntilGone(facts.untilGone),
    ...checkKeepAlives(config, facts.nginxKeepAliveMs),
    ...checkOpsReach("ops", config.ops, facts.isInPod),
    ...checkOpsReach("probe", config.probe, facts.isInPod),
    ...checkSharedMemory(config, facts.hasSharedMemory),
  ];
}

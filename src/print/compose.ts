import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { formatFlags } from "./flags.ts";
import { formatShort, requireOps, requireSocket } from "./target.ts";
import { quoteYaml } from "./yaml.ts";

const MARGIN_SECONDS = 5;
const APP_USER = "1000";
/** The group of the app and of the folder, which lets nginx in. */
const SHARED_GROUP = "2000";
const CONFINEMENT = `    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
`;

/** Writes a pair of services that share the socket. compose stops nginx first, because it depends on the app. */
export function printCompose(config: Config, plain: Config): string {
  const { path, group } = requireSocket(config);
  const ops = requireOps(config);
  const args = [config.app, ...formatFlags(config, plain), `--ops=${formatShort(ops)}`];
  const stopSeconds = Math.ceil(config.drain.gracePeriodMs / 1000) + MARGIN_SECONDS;
  const mount = quoteYaml(`socket:${dirname(path)}`);
  const probe = [
    "CMD",
    "node_modules/.bin/outrigger",
    "probe",
    "ready",
    `--ops=${formatShort(ops)}`,
  ];
  const groups = [...new Set([SHARED_GROUP, group ?? SHARED_GROUP])];
  return `services:
  app:
    image: example/app
    user: "${APP_USER}:${SHARED_GROUP}"
${group === undefined ? "" : `    group_add: [${quoteYaml(group)}]\n`}    entrypoint: ["node_modules/.bin/outrigger"]
    command:
${args.map((arg) => `      - ${quoteYaml(arg)}`).join("\n")}
    stop_grace_period: ${stopSeconds}s
    healthcheck:
      test: [${probe.map(quoteYaml).join(", ")}]
      interval: 5s
      start_period: 60s
      start_interval: 1s
${CONFINEMENT}    volumes:
      - ${mount}
  nginx:
    image: nginxinc/nginx-unprivileged:1.30
    group_add: [${groups.map(quoteYaml).join(", ")}] # that of the socket
    ports: ["8080:8080"]
    stop_signal: SIGQUIT
    stop_grace_period: 35s
    depends_on:
      app: { condition: service_healthy }
${CONFINEMENT}    tmpfs: [/tmp]
    volumes:
      - ${mount}
      - ./nginx.conf:/etc/nginx/conf.d/default.conf:ro
volumes:
  socket:
    driver_opts: { type: tmpfs, device: tmpfs, o: "size=1m,mode=2770,uid=${APP_USER},gid=${SHARED_GROUP}" }
`;
}

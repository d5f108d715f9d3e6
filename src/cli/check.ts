import type { Command } from "commander";
import type { Account } from "../check/facts.ts";
import { parseDuration } from "../config/duration.ts";
import { optionsOf } from "../config/options.ts";
import { resolveConfig } from "../config/resolve.ts";
import { ValueError } from "../config/value-error.ts";
import { EXIT_CODES } from "../errors.ts";
import type { Choose } from "./action.ts";
import type { Host } from "./host.ts";
import { addOwnOption } from "./own-option.ts";
import { addServeOptions, APP_ARGUMENT, toConfigInput } from "./serve-options.ts";

/** What checks do not look at. */
const ANY_APP = "./app.js";
/** Stands for uid and gid 101 and the group of the socket. */
const OFFICIAL_IMAGE = "101:101";

/** Adds `check`: what stands in the way of nginx, a stop or a start, found without starting anything. */
export function addCheck(program: Command, choose: Choose): Command {
  const command = program
    .command("check")
    .summary("look for what would not work, without starting")
    .description(
      "Looks for what would not work with the same options, without starting: exit 0 when nothing fails, 1 otherwise.",
    )
    .argument(APP_ARGUMENT, "the app, which is not looked at")
    .optionsGroup("What is around it:")
    .option("--json", "print the findings as JSON");
  const readAccount = addOwnOption(command, {
    flag: "--as",
    placeholder: "UID:GID[,GID...]",
    description: "as whom nginx connects; the default also has the group of the socket",
    default: OFFICIAL_IMAGE,
    parse: parseAccount,
  });
  const readKeepAlive = addOwnOption(command, {
    flag: "--nginx-keepalive",
    placeholder: "DURATION",
    description: "keepalive_timeout of nginx's upstream block",
    default: "60s",
    parse: parseDuration,
  });
  const readGrace = addOwnOption(command, {
    flag: "--pod-grace",
    placeholder: "DURATION",
    description: "terminationGracePeriodSeconds of the pod",
    default: "30s",
    parse: parseDuration,
  });
  const names = optionsOf("flag").filter((name) => name !== "print-config");
  const readFlags = addServeOptions(command, names);
  return command.action((app: string | undefined, { json, as }: { json?: true; as?: string }) => {
    const asked = {
      nginx: as === undefined ? undefined : readAccount(),
      nginxKeepAliveMs: readKeepAlive(),
      podGraceMs: readGrace(),
    };
    choose(async (host) => {
      const input = toConfigInput(host, { app, flags: readFlags() });
      const config = resolveConfig({ ...input, defaultApp: ANY_APP });
      const { collectFacts } = await import("../check/collect.ts");
      const { checkAll } = await import("../check/check.ts");
      const { formatFinding } = await import("../check/finding.ts");
      const findings = checkAll(await collectFacts(config, { ...asked, isInPod: isInPod(host) }));
      const text =
        json === true
          ? JSON.stringify(findings, undefined, 2)
          : findings.map(formatFinding).join("\n");
      host.stdout.write(`${text}\n`);
      const hasFailed = findings.some(({ level }) => level === "fail");
      return hasFailed ? EXIT_CODES.failure : EXIT_CODES.ok;
    });
  });
}

/** Every container of a pod has this variable. */
function isInPod({ env }: Host): boolean {
  return env["KUBERNETES_SERVICE_HOST"] !== undefined;
}

function parseAccount(text: string): Account {
  const [, uid, groups] = /^(\d+):(\d+(?:,\d+)*)$/.exec(text) ?? [];
  if (uid === undefined || groups === undefined)
    throw new ValueError(text, "expected numbers such as 101:101 or 101:101,2000");
  return { uid: Number(uid), groups: groups.split(",").map(Number) };
}

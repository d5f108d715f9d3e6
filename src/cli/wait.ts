import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { OpsEndpoint } from "../config/config.ts";
import { formatDuration } from "../config/duration.ts";
import { EXIT_CODES, OutriggerError } from "../errors.ts";
import type { Choose } from "./action.ts";
import { askProbe, PROBE_NAMES, type ProbeName } from "./ask-probe.ts";
import { addOpsOptions } from "./ops-address.ts";
import { addOwnOption, parseTimeout, parseWord } from "./own-option.ts";

/** Nobody is told when a port begins to listen, so it is tried again. */
const RETRY_MS = 100;
/** One answer that does not come must not cost the whole time. */
const ANSWER_WITHIN_MS = 2_000;

/** Adds `wait`: returns when a probe passes, exit 1 with what was seen last when it does not in time. */
export function addWait(program: Command, choose: Choose): Command {
  const command = program
    .command("wait")
    .summary("wait until a probe passes")
    .description(
      "Waits until a probe passes: exit 0 then, 1 with what was seen last at the deadline.",
    );
  const readProbe = addOwnOption(command, {
    flag: "--until",
    placeholder: PROBE_NAMES.join("|"),
    description: "the probe that must pass",
    default: "ready",
    parse: (text) => parseWord(text, PROBE_NAMES),
  });
  const readTimeout = addOwnOption(command, {
    flag: "--timeout",
    placeholder: "DURATION",
    description: "how long to wait",
    default: "30s",
    parse: parseTimeout,
  });
  const findOps = addOpsOptions(command);
  return command.action(() => {
    const [probe, timeoutMs] = [readProbe(), readTimeout()];
    choose(async (host) => {
      const seen = await waitFor(findOps(host), probe, timeoutMs);
      if (seen === undefined) return EXIT_CODES.ok;
      const what = `Waited ${formatDuration(timeoutMs)} in vain for probe "${probe}" to pass`;
      throw new OutriggerError("ERR_STATE", `${what}: ${seen}`);
    });
  });
}

/** Resolves to undefined as soon as the probe passes, or to what was seen last when time is up. */
async function waitFor(
  ops: OpsEndpoint,
  probe: ProbeName,
  timeoutMs: number,
): Promise<string | undefined> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = Math.max(endMs - performance.now(), 1);
    const seen = await askProbe(ops, probe, Math.ceil(Math.min(leftMs, ANSWER_WITHIN_MS)));
    if (seen === undefined) return undefined;
    if (performance.now() + RETRY_MS >= endMs) return seen;
    await delay(RETRY_MS);
  }
}

import type { Command } from "commander";
import { EXIT_CODES, OutriggerError } from "../errors.ts";
import type { Choose } from "./action.ts";
import { askProbe, PROBE_NAMES, type ProbeName } from "./ask-probe.ts";
import { addOpsOptions } from "./ops-address.ts";
import { addOwnOption, parseTimeout, wordArgument } from "./own-option.ts";

/** Adds `probe`, for HEALTHCHECK and exec probes: exit 0 when the probe passes, 1 and a line why when not. */
export function addProbe(program: Command, choose: Choose): Command {
  const command = program
    .command("probe")
    .summary("ask a probe: exit 0 when it passes, 1 with the reason when not")
    .description(
      "Asks a probe of the ops endpoint: exit 0 when it passes, 1 with the reason when not.",
    )
    .addArgument(wordArgument("probe", PROBE_NAMES));
  const findOps = addOpsOptions(command);
  const readTimeout = addOwnOption(command, {
    flag: "--timeout",
    placeholder: "DURATION",
    description: "how long the answer may take",
    default: "2s",
    parse: parseTimeout,
  });
  return command.action((probe: ProbeName) => {
    const timeoutMs = readTimeout();
    choose(async (host) => {
      const failure = await askProbe(findOps(host), probe, timeoutMs);
      if (failure === undefined) return EXIT_CODES.ok;
      throw new OutriggerError("ERR_STATE", `Probe "${probe}" failed: ${failure}`);
    });
  });
}

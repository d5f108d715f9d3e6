import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { optionsOf } from "../config/options.ts";
import { resolveConfig } from "../config/resolve.ts";
import { EXIT_CODES } from "../errors.ts";
import type { Choose } from "./action.ts";
import type { Host } from "./host.ts";
import { wordArgument } from "./own-option.ts";
import { addServeOptions, APP_ARGUMENT, toConfigInput } from "./serve-options.ts";

const SNIPPETS = ["nginx", "kubernetes", "systemd", "systemd-socket", "compose"] as const;
type SnippetName = (typeof SNIPPETS)[number];

const DEFAULT_APP = "./app.js";

/** Adds `print`: the configuration of something around us that matches ours. */
export function addPrint(program: Command, choose: Choose): Command {
  const command = program
    .command("print")
    .summary("print configuration for it that matches ours")
    .description(
      "Prints configuration for nginx, a pod, systemd or compose that matches the same options of ours.",
    )
    .addArgument(wordArgument("print", SNIPPETS))
    .argument(APP_ARGUMENT, `the app; ${DEFAULT_APP} where none is named`);
  const names = optionsOf("flag").filter((name) => name !== "print-config");
  const readFlags = addServeOptions(command, names);
  return command.action((snippet: SnippetName, app: string | undefined) => {
    choose(async (host) => {
      const input = toConfigInput(host, { app, flags: readFlags() });
      const config = resolveConfig({ ...input, defaultApp: DEFAULT_APP });
      const plain = resolveConfig({ ...input, app: config.app, flags: {}, env: {} });
      host.stdout.write(await format(snippet, config, { plain, host }));
      return EXIT_CODES.ok;
    });
  });
}

interface Surroundings {
  /** A configuration of defaults on the same machine. */
  readonly plain: Config;
  readonly host: Host;
}

/** Each is loaded only when it is asked for. */
async function format(
  snippet: SnippetName,
  config: Config,
  { plain, host }: Surroundings,
): Promise<string> {
  switch (snippet) {
    case "nginx":
      return (await import("../print/nginx.ts")).printNginx(config);
    case "kubernetes":
      return (await import("../print/kubernetes.ts")).printKubernetes(config, plain);
    case "systemd":
      return (await import("../print/systemd.ts")).printSystemd(config, plain, host);
    case "systemd-socket":
      return (await import("../print/systemd-socket.ts")).printSocketUnits(config);
    case "compose":
      return (await import("../print/compose.ts")).printCompose(config, plain);
  }
}

import type { Config } from "../config/config.ts";
import { formatConfig } from "../config/format.ts";
import { resolveConfig } from "../config/resolve.ts";
import { EXIT_CODES, type ExitCode } from "../errors.ts";
import { systemHost, type Host } from "./host.ts";
import { parseCommandLine } from "./program.ts";
import { renderError } from "./render-error.ts";
import { toConfigInput, type Invocation } from "./serve-options.ts";

/** Serves until told to stop. */
export type Serve = (invocation: ServeInvocation) => Promise<ExitCode>;

export interface ServeInvocation {
  readonly config: Config;
  /** Reads the config file and the variables again; throws what they are refused for. */
  readonly reread: () => Config;
  readonly host: Host;
}

/** Does what the command line says; every failure leaves through here, as a line on standard error. */
export async function run(host: Host = systemHost, serve: Serve = loadAndServe): Promise<ExitCode> {
  try {
    const action = parseCommandLine(host, (invocation) => () => obey(host, invocation, serve));
    return action === undefined ? EXIT_CODES.ok : await action(host);
  } catch (thrown) {
    const { text, exitCode } = renderError(thrown);
    host.stderr.write(text);
    return exitCode;
  }
}

async function obey(host: Host, invocation: Invocation, serve: Serve): Promise<ExitCode> {
  const reread = (): Config => resolveConfig(toConfigInput(host, invocation));
  const config = reread();
  if (invocation.flags["print-config"] === undefined) return await serve({ config, reread, host });
  host.stdout.write(formatConfig(config));
  return EXIT_CODES.ok;
}

/** What serves is loaded only when there is something to serve. */
async function loadAndServe(invocation: ServeInvocation): Promise<ExitCode> {
  const { serve } = await import("./serve.ts");
  return await serve(invocation);
}

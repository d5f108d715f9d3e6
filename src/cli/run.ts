import type { Config } from "../config/config.ts";
import { formatConfig } from "../config/format.ts";
import { resolveConfig } from "../config/resolve.ts";
import { EXIT_CODES, type ExitCode } from "../errors.ts";
import { systemHost, type Host } from "./host.ts";
import { parseCommandLine } from "./program.ts";
import { renderError } from "./render-error.ts";

/** Serves until told to stop. */
export type Serve = (config: Config, host: Host) => Promise<ExitCode>;

/** Does what the command line says; every failure leaves through here, as a line on standard error. */
export async function run(host: Host = systemHost, serve: Serve = loadAndServe): Promise<ExitCode> {
  try {
    return await obey(host, serve);
  } catch (thrown) {
    const { text, exitCode } = renderError(thrown);
    host.stderr.write(text);
    return exitCode;
  }
}

async function obey(host: Host, serve: Serve): Promise<ExitCode> {
  const invocation = parseCommandLine(host);
  if (invocation === undefined) return EXIT_CODES.ok;
  const config = resolveConfig({
    ...invocation,
    env: host.env,
    cwd: host.cwd,
    cpuCount: host.cpuCount,
    readFile: (path) => host.readFile(path),
  });
  if (invocation.flags["print-config"] === undefined) return await serve(config, host);
  host.stdout.write(formatConfig(config));
  return EXIT_CODES.ok;
}

/** What serves is loaded only when there is something to serve. */
async function loadAndServe(config: Config, host: Host): Promise<ExitCode> {
  const { serve } = await import("./serve.ts");
  return await serve(config, host);
}

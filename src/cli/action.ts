import type { ExitCode } from "../errors.ts";
import type { Host } from "./host.ts";

/** What the command line asks for, ready to be done. */
export type Action = (host: Host) => Promise<ExitCode>;

/** Where a subcommand says that it was asked for. */
export type Choose = (action: Action) => void;

import { adaptApp, refuseModule } from "../app/adapt.ts";
import type { App } from "../app/app.ts";
import { getContext } from "../app/context.ts";
import { ListenCapture } from "../app/listen-capture.ts";
import { findApp, importApp, type AppModule } from "../app/load.ts";
import { pretendMain } from "../app/main-module.ts";
import type { OwnAddress } from "../app/stand-in.ts";
import type { Config } from "../config/config.ts";
import { formatDuration } from "../config/duration.ts";
import { boundAddressOf } from "../config/handed-source.ts";
import { OutriggerError } from "../errors.ts";
import { backgroundClock, Deadline, settledBefore } from "../lifecycle/deadline.ts";
import type { Logger } from "../log/logger.ts";
import type { Idleness } from "./idleness.ts";

export interface AppStartOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly cwd: string;
  /** The app where it is not to be imported by name. */
  readonly module: AppModule | undefined;
  /** Whether the app is what the process runs: then servers that it lets listen are ours to serve. */
  readonly isMain: boolean;
  /** Tells when the process has nothing left to do; undefined in a process that we share. */
  readonly idleness: Idleness | undefined;
  /** Resolves when the app has called `process.send("ready")`. */
  readonly readySignal: Promise<void>;
  /** Called when the app closes the server that was taken from it; returns whether that one is served. */
  readonly onServerClosed: () => boolean;
}

/** An app that may serve. */
export interface StartedApp {
  readonly app: App;
  /** Where its servers are, when it may let them listen itself. */
  readonly capture: ListenCapture | undefined;
}

/** Loads an app and runs its startup to the end, all of it within the start timeout. */
export async function startApp(options: AppStartOptions): Promise<StartedApp> {
  const { startTimeoutMs } = options.config;
  const deadline = startTimeoutMs > 0 ? new Deadline(startTimeoutMs, backgroundClock) : undefined;
  try {
    return await runStart(options, deadline?.signal ?? new AbortController().signal);
  } finally {
    deadline?.clear();
  }
}

async function runStart(options: AppStartOptions, signal: AbortSignal): Promise<StartedApp> {
  const { config, log, readySignal } = options;
  const limit = formatDuration(config.startTimeoutMs);
  const refuse = (what: string): OutriggerError =>
    new OutriggerError("ERR_APP", `Cannot start app "${config.app}": ${what} within ${limit}`);
  const inTime = async <T>(step: Promise<T>, what: string): Promise<T> => {
    if (await settledBefore(step, signal)) return await step;
    throw refuse(what);
  };
  const capture = options.isMain ? createCapture(options) : undefined;
  const loading = options.module ?? load(options);
  const module = await inTime(Promise.resolve(loading), "its module was not loaded to the end");
  const app = adaptApp(module, { log, createContext: getContext, capture });
  await inTime(app.startup(), "its startup hook did not end");
  if (app.isExported === true && app.ownsServer !== undefined) capture?.serveExport(app.ownsServer);
  if (app.isExported === true && capture?.server !== undefined)
    log.info({ asked: capture.asked }, "app does not listen by itself");
  if (app.isExported !== true && capture !== undefined)
    await awaitListening({ capture, module, limit, signal, idleness: options.idleness });
  if (config.waitReady) await inTime(readySignal, 'it did not call process.send("ready")');
  return { app, capture };
}

async function load({ config, cwd, isMain }: AppStartOptions): Promise<AppModule> {
  const path = await findApp(config.app, cwd);
  if (isMain) pretendMain(path);
  return await importApp(path);
}

interface Listening {
  readonly capture: ListenCapture;
  readonly module: AppModule;
  readonly limit: string;
  readonly signal: AbortSignal;
  readonly idleness: Idleness | undefined;
}

/** Nothing is exported, so a server has to come; without one, Node itself would end when nothing is left to do. */
async function awaitListening(wait: Listening): Promise<void> {
  const { capture, module, limit, signal, idleness } = wait;
  const idle = idleness?.begin();
  try {
    const ended = idle?.then(() => {
      throw refuseModule(module, `it does not call listen()${capture.describeElsewhere()}`);
    });
    if (await settledBefore(Promise.race([capture.taken, ...(ended ? [ended] : [])]), signal))
      return;
  } finally {
    idleness?.end();
  }
  throw refuseModule(
    module,
    `it did not call listen()${capture.describeElsewhere()} within ${limit}`,
  );
}

function createCapture({ config, log, ...options }: AppStartOptions): ListenCapture {
  return ListenCapture.install({
    choice: config.appServer,
    sharesPorts: config.workers > 0,
    ownAddress: ownAddressOf(config),
    onElsewhere: (asked) => log.info({ asked }, "app listens by itself"),
    onClose: options.onServerClosed,
  });
}

/** Apps that ask for any port and look which want a number: so an address of TCP goes first. */
function ownAddressOf({ endpoints }: Config): OwnAddress {
  const addresses = endpoints.map(boundAddressOf);
  const address = addresses.find(({ kind }) => kind === "tcp") ?? addresses[0];
  if (address === undefined) throw new TypeError("There is no endpoint to tell the app of");
  switch (address.kind) {
    case "tcp":
      return { host: address.host, port: address.port };
    case "unix":
      return { path: address.path };
    case "abstract":
      return { path: `\0${address.abstractName}` };
  }
}

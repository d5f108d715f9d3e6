import type { Config } from "../config/config.ts";
import { formatSource } from "../config/endpoint.ts";
import { describeError, EXIT_CODES, type ExitCode } from "../errors.ts";
import { createLogger, type Logger } from "../log/logger.ts";
import { forkWorker } from "../supervisor/fork-worker.ts";
import { inlineWorker } from "../supervisor/inline-worker.ts";
import type { Stopped } from "../supervisor/closing.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import type { ServeInvocation } from "./run.ts";
import { INIT_ADVICE, NO_INIT } from "./init.ts";
import { takeActivation, takeServiceManager } from "./service-manager.ts";
import { DRAIN_SIGNAL, obeySignals } from "./signals.ts";
import { readSomaxconn } from "../somaxconn.ts";
import { readVersion } from "../version.ts";
import { formatHostPort } from "../host-port.ts";

/** Serves the app until a signal ends it; rejects when it cannot be started. */
export async function serve({ config, reread, host }: ServeInvocation): Promise<ExitCode> {
  const isPretty = host.stdout.isTerminal;
  const log = await createLogger({ level: config.log.level, pretty: isPretty });
  const activation = takeActivation(host);
  const manager = takeServiceManager({
    host,
    config,
    log,
    standing: () => supervisor.standing(),
  });
  const supervisor = new Supervisor({
    config,
    activation,
    log,
    version: readVersion(),
    drainSignal: DRAIN_SIGNAL,
    spawn:
      config.workers === 0
        ? inlineWorker({ log, isPretty, isMain: true, cwd: host.cwd })
        : forkWorker,
    onPhase(phase) {
      if (phase !== "ready") log.info({}, phase);
      manager.enter(phase);
    },
    onEnding: () => manager.stop(),
  });
  const signals = obeySignals({ host, supervisor, manager, log, reread });
  try {
    return await serveUntilStopped({ supervisor, config, log });
  } catch (error) {
    if (signals.hasStopped) return exitCodeOf(await supervisor.stopped);
    log.fatal({ error: describeError(error) }, "start failed");
    throw error;
  } finally {
    signals.release();
    await manager.close();
  }
}

interface Service {
  readonly supervisor: Supervisor;
  readonly config: Config;
  readonly log: Logger;
}

async function serveUntilStopped({ supervisor, config, log }: Service): Promise<ExitCode> {
  log.info({ app: config.app, pid: process.pid, version: readVersion() }, "starting");
  if (process.pid === 1) log.warn({ advice: INIT_ADVICE }, NO_INIT);
  await warnOfShortQueues(config, log);
  const { listeners, ops, probe } = await supervisor.start();
  log.info(
    {
      endpoints: listeners.map(({ endpoint, address }) => ({
        name: endpoint.name,
        address,
        ...(endpoint.kind === "handed" ? { handed: formatSource(endpoint.source) } : {}),
      })),
      ops: ops && formatHostPort(ops),
      probe: probe && formatHostPort(probe),
      workers: config.workers,
    },
    "ready",
  );
  return exitCodeOf(await supervisor.stopped);
}

function exitCodeOf({ forced, failed }: Stopped): ExitCode {
  if (failed) return EXIT_CODES.failure;
  return forced === 0 ? EXIT_CODES.ok : EXIT_CODES.forced;
}

/** A full queue is a 502 at the proxy. */
async function warnOfShortQueues({ endpoints }: Config, log: Logger): Promise<void> {
  const somaxconn = (await readSomaxconn()) ?? Number.POSITIVE_INFINITY;
  for (const { name, backlog } of endpoints) {
    if (backlog > somaxconn)
      log.warn({ endpoint: name, backlog, somaxconn }, "backlog is cut by net.core.somaxconn");
  }
}

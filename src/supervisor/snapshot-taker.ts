import type { Config } from "../config/config.ts";
import { boundAddressOf } from "../config/handed-source.ts";
import type { EndpointCounters } from "../counters.ts";
import type { Phase } from "../lifecycle/phase.ts";
import { readKernelAccounts, type KernelAccount } from "../listener/kernel-accounts.ts";
import type { Listener } from "../listener/listener.ts";
import type { ListenerManager } from "../listener/manager.ts";
import { ProcessMonitor } from "../process-stats.ts";
import { noRestarts, type EndpointView, type Snapshot, type Standing } from "../snapshot.ts";
import type { Certificates } from "./certificates.ts";
import type { Ledger } from "./ledger.ts";
import type { WorkerSet } from "./worker-set.ts";
import { readWorkers, viewStanding, viewWorkers } from "./worker-views.ts";

/** Ten reports missed in a row. */
const SILENT_AFTER_MS = 10_000;

/** What a snapshot is taken of; what is undefined does not exist yet. */
export interface Subject {
  readonly phase: Phase;
  /** Where the counts of endpoints come from. */
  readonly ledger: Ledger;
  readonly listeners: ListenerManager | undefined;
  readonly workers: WorkerSet | undefined;
  readonly certificates?: Pick<Certificates, "view">;
  /** When the drain cuts what is left: infinite while it is only announced (it has not begun). */
  readonly drainDeadlineAtMs?: number | undefined;
}

export interface SnapshotTakerOptions {
  readonly config: Config;
  readonly version: string;
  /** The signal that announces the drain (none). */
  readonly drainSignal?: NodeJS.Signals;
}

/** Takes snapshots of a supervisor, and remembers what only happened once. */
export class SnapshotTaker {
  readonly #config: Config;
  readonly #version: string;
  readonly #drainSignal: NodeJS.Signals | undefined;
  readonly #monitor = new ProcessMonitor();
  readonly #startedAtMs = Date.now();
  #kernel: ReadonlyMap<string, KernelAccount> | undefined;
  #process = this.#monitor.read();
  #drainStartedAtMs: number | undefined;
  #hasStarted = false;
  #socketsLost = 0;

  constructor({ config, version, drainSignal }: SnapshotTakerOptions) {
    this.#config = config;
    this.#version = version;
    this.#drainSignal = drainSignal;
  }

  noteReady(): void {
    this.#hasStarted = true;
  }

  /** Counts the first time. */
  noteDrainStart(): void {
    this.#drainStartedAtMs ??= Date.now();
  }

  noteSocketLost(): void {
    this.#socketsLost += 1;
  }

  /** Asks the kernel about connections and queues, and this process about itself. */
  async refresh(listeners: ListenerManager | undefined): Promise<void> {
    this.#process = this.#monitor.read();
    const names = listeners?.listeners.flatMap(({ kernelName }) => kernelName ?? []) ?? [];
    this.#kernel = await readKernelAccounts(names);
  }

  /** Puts together what is known. */
  take(subject: Subject): Snapshot {
    const { phase, certificates, ledger, listeners, workers, drainDeadlineAtMs } = subject;
    const readings = readWorkers(workers?.handles ?? []);
    const living = readings.map(({ snapshot }) => snapshot);
    return {
      ...this.#viewProgress({ phase, workers }),
      takenAtMs: Date.now(),
      version: this.#version,
      startedAtMs: this.#startedAtMs,
      drainStartedAtMs: this.#drainStartedAtMs,
      drainDeadlineAtMs: Number.isFinite(drainDeadlineAtMs) ? drainDeadlineAtMs : undefined,
      drainSignal: this.#drainSignal,
      endpoints: (listeners?.listeners ?? []).map((listener) => {
        const { name } = listener.endpoint;
        const tls = certificates?.view(name);
        const view = this.#viewEndpoint(listener, ledger.total(name, living));
        return tls === undefined ? view : { ...view, tls };
      }),
      workers: viewWorkers(readings, ledger),
      workerRestarts: workers?.restarts ?? noRestarts(),
      workersMissing: workers?.reports.missing ?? 0,
      staleSocketsRemoved: listeners?.staleRemoved ?? 0,
      socketsLost: this.#socketsLost,
      forcedCloses: workers?.forcedAsOf(readings) ?? 0,
      process: this.#process,
    };
  }

  /** Puts together what probes are judged by, without a look at any count: asked for at every report. */
  standing({ phase, listeners, workers }: Subject): Standing {
    return {
      ...this.#viewProgress({ phase, workers }),
      endpoints: (listeners?.listeners ?? []).map(viewPublication),
      workers: viewStanding(workers?.handles ?? []),
    };
  }

  stop(): void {
    this.#monitor.stop();
  }

  #viewProgress({
    phase,
    workers,
  }: Pick<Subject, "phase" | "workers">): Omit<Standing, "endpoints" | "workers"> {
    return {
      phase,
      hasStarted: this.#hasStarted,
      minReady: this.#config.minReady,
      workersWanted: workers?.size ?? Math.max(this.#config.workers, 1),
      backoffs: workers?.backoffs ?? [],
      silentAfterMs: Math.min(workers?.workerTimeoutMs || SILENT_AFTER_MS, SILENT_AFTER_MS),
      isStuck: workers?.isStuck ?? false,
    };
  }

  #viewEndpoint(listener: Listener, counters: EndpointCounters): EndpointView {
    const { endpoint, kernelName } = listener;
    return {
      ...viewPublication(listener),
      transport: boundAddressOf(endpoint).kind,
      counters,
      kernel: kernelName === undefined ? undefined : this.#kernel?.get(kernelName),
    };
  }
}

function viewPublication({ endpoint, address, problem }: Listener): Standing["endpoints"][number] {
  return {
    name: endpoint.name,
    address,
    up: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
  };
}

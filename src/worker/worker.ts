import { setMaxListeners } from "node:events";
import type { App } from "../app/app.ts";
import type { ListenCapture } from "../app/listen-capture.ts";
import { EndpointCounters } from "../counters.ts";
import { describeError } from "../errors.ts";
import { Deadline, settledBefore } from "../lifecycle/deadline.ts";
import { createAccessLog, type AccessLog } from "../log/access.ts";
import { ProcessMonitor } from "../process-stats.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import type { Command, StartCommand, WorkerSnapshot } from "../protocol.ts";
import { shutDownApp } from "./app-shutdown.ts";
import { startApp } from "./app-start.ts";
import { CounterWriter } from "./counter-writer.ts";
import { createEndpointContext } from "./endpoint-context.ts";
import { EndpointServer } from "./endpoint-server.ts";
import { finishConnections } from "./finish-connections.ts";
import { HealthPoll } from "./health-poll.ts";
import { closeInspector, whyUnreadable } from "./inspector.ts";
import { readLoopStats } from "./loop-stats.ts";
import type { WorkerHost } from "./worker-host.ts";
import { createRequestRecorder, NO_RECORDER } from "./request-recorder.ts";
import { warmUpNextTick } from "./warm-up.ts";

const SNAPSHOT_INTERVAL_MS = 1_000;
/** What the app's shutdown hook gets even when the grace period is over. */
const LEAST_SHUTDOWN_MS = 500;

/** Loads the app, serves it on the listeners it was granted, counts, and drains when told. */
export class Worker {
  readonly #host: WorkerHost;
  readonly #monitor = new ProcessMonitor();
  /** Aborts when the drain begins. */
  readonly #draining = new AbortController();
  #servers: readonly EndpointServer[] = [];
  #app: App | undefined;
  #capture: ListenCapture | undefined;
  #health: HealthPoll | undefined;
  #accessLog: AccessLog | undefined;
  #counters: CounterWriter | undefined;
  #snapshots: NodeJS.Timeout | undefined;
  #deadline: Deadline | undefined;
  /** The latest, by endpoint. */
  readonly #credentials = new Map<string, TlsCredentials>();

  constructor(host: WorkerHost) {
    // Every stream of events may wait for it.
    setMaxListeners(0, this.#draining.signal);
    this.#host = host;
  }

  /** Carries out a command; what comes of it is reported. `listenHandle` comes with `reopen` alone. */
  handle(command: Command, listenHandle?: unknown): void {
    switch (command.type) {
      case "start":
        void this.#start(command).catch((error: unknown) => this.#abandonStart(error));
        return;
      case "report":
        this.#host.report({ type: "snapshot", snapshot: this.snapshot(), answers: command.id });
        return;
      case "report-load":
        for (const server of this.#servers) server.reportLoad();
        return;
      case "limit":
        this.#server(command.endpoint)?.limitTo(command.limit);
        return;
      case "reopen":
        this.#server(command.endpoint)?.reopen(listenHandle, command.limit);
        return;
      case "renew":
        this.#credentials.set(command.endpoint, command.credentials);
        this.#server(command.endpoint)?.renew(command.credentials);
        return;
      case "close-inspector":
        closeInspector();
        return;
      case "shed":
        this.#server(command.endpoint)?.shed(command);
        return;
      case "announce-close":
        for (const server of this.#servers) server.announceClose();
        return;
      case "drain":
        this.drain(command.deadlineMs - Date.now());
        return;
    }
  }

  /** Drains within `graceMs`; once it drains, a shorter time moves the deadline nearer. */
  drain(graceMs: number): void {
    if (this.#deadline !== undefined) {
      this.#deadline.shorten(graceMs);
      return;
    }
    this.#deadline = new Deadline(graceMs, this.#host.clock);
    void this.#drain(this.#deadline).catch((error: unknown) => this.#fail(error));
  }

  /** All that was counted so far. */
  snapshot(): WorkerSnapshot {
    for (const { connections } of this.#servers) connections.recognizeSilent();
    this.#counters?.write();
    const unreadable = whyUnreadable();
    return {
      counters: Object.fromEntries(
        this.#servers.map((server) => [server.name, server.counters.slots.slice()]),
      ),
      health: this.#health?.last,
      process: this.#monitor.read(),
      ...(unreadable === undefined ? {} : { unreadable }),
      loop: readLoopStats(),
    };
  }

  /** Writes out what the access log still holds, now: the process is about to end. */
  flushSync(): void {
    this.#accessLog?.flushSync();
  }

  async #start({ config, listeners, ...command }: StartCommand): Promise<void> {
    const { log, cwd, isMain, readySignal, process, app: module } = this.#host;
    warmUpNextTick();
    for (const entry of Object.entries(command.credentials)) this.#credentials.set(...entry);
    const { app, capture } = await startApp({
      config,
      log,
      cwd,
      module,
      isMain,
      readySignal,
      idleness: process?.idleness,
      onServerClosed: () => this.#followClose(config.drain.gracePeriodMs),
    });
    this.#app = app;
    this.#capture = capture;
    // Told to stop meanwhile: what listens now would never be closed.
    if (this.#deadline !== undefined) return;
    const accessLog = createAccessLog({
      format: config.log.accessLog,
      style: this.#host.isPretty ? "pretty" : "json",
    });
    this.#accessLog = accessLog;
    const isLogged = config.log.accessLog !== "off";
    const onAnswered = this.#reportAfter(command.reportAfterRequests);
    const counterWriter = new CounterWriter(config.endpoints.length, command.counterDescriptor);
    this.#counters = counterWriter;
    const servers = config.endpoints.map((endpoint, index) => {
      const context = createEndpointContext(endpoint, config, this.#draining.signal);
      return new EndpointServer({
        endpoint,
        context,
        counters: counterWriter.counters[index] ?? new EndpointCounters(),
        app,
        http: config.http,
        webSocketCloseCode: config.webSocket.closeCode,
        log,
        checkTarget: command.checkTarget,
        onAnswered,
        reportLoad: (load) => this.#host.report({ type: "load", endpoint: endpoint.name, ...load }),
        recorder: isLogged ? createRequestRecorder(accessLog, context) : NO_RECORDER,
        credentials: this.#credentials.get(endpoint.name),
      });
    });
    this.#servers = servers;
    this.#health = new HealthPoll(app, () => this.#push());
    await this.#health.start();
    for (const server of servers) {
      const grant = listeners.find(({ endpoint }) => endpoint === server.name);
      if (grant !== undefined) await server.listen(this.#host.openTarget(grant));
    }
    this.#snapshots = setInterval(() => this.#push(), SNAPSHOT_INTERVAL_MS).unref();
    // What is known of us rests on it, also when our loop never turns again.
    this.#push();
    this.#host.report({ type: "ready" });
  }

  /** Ends what had begun: in a program that embeds us no exit does it. */
  async #abandonStart(error: unknown): Promise<void> {
    for (const server of this.#servers) {
      server.stopAccepting();
      server.connections.destroyAll();
    }
    await this.#stop(new Deadline(LEAST_SHUTDOWN_MS));
    this.#fail(error);
  }

  /**
   * An app that closes its server wants no more requests; the supervisor fills its place when it has
   * ended. Returns whether it was the one that is served: one that exports what we call may have others.
   */
  #followClose(graceMs: number): boolean {
    if (this.#app?.isExported === true) return false;
    if (this.#servers.length === 0 || this.#deadline !== undefined) return true;
    this.#host.log.warn({}, "app closed its server");
    this.drain(graceMs);
    return true;
  }

  #server(endpoint: string): EndpointServer | undefined {
    return this.#servers.find(({ name }) => name === endpoint);
  }

  /** Counts requests down to a report that the supervisor is waiting for. */
  #reportAfter(requests: number): () => void {
    let left = requests;
    return () => {
      left -= 1;
      if (left === 0) this.#push();
    };
  }

  #push(): void {
    this.#host.report({ type: "snapshot", snapshot: this.snapshot() });
  }

  async #drain(deadline: Deadline): Promise<void> {
    for (const server of this.#servers) {
      server.announceClose();
      server.stopAccepting();
    }
    // The app comes first: it may have a last word for its clients.
    this.#draining.abort();
    const forced = await finishConnections(this.#servers, deadline);
    deadline.clear();
    const left = Math.max(deadline.atMs - Date.now(), LEAST_SHUTDOWN_MS);
    const limit = new Deadline(left, this.#host.clock);
    const saveAll = (): void => {
      this.flushSync();
      this.#push();
    };
    const [app, capture, host] = [this.#app, this.#capture, this.#host];
    await shutDownApp({ app, capture, host, saveAll }, limit.signal);
    await this.#stop(limit);
    this.#host.report({ type: "drained", snapshot: this.snapshot(), forced });
  }

  async #stop(limit: Deadline): Promise<void> {
    clearInterval(this.#snapshots);
    this.#deadline?.clear();
    this.#health?.stop();
    for (const server of this.#servers) server.close();
    // Whoever reads our output may have stopped reading.
    await settledBefore(this.#accessLog?.close() ?? Promise.resolve(), limit.signal);
    limit.clear();
    this.#monitor.stop();
  }

  #fail(error: unknown): void {
    this.#host.report({ type: "failed", error: describeError(error) });
  }
}

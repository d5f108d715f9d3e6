/** Entry of a worker process: ties a `Worker` to the channel of its supervisor. */
import { isatty } from "node:tty";
import { describeError, EXIT_CODES, type ExitCode } from "../errors.ts";
import { createLogger } from "../log/logger.ts";
import { parseCommand, type Report, type StartCommand } from "../protocol.ts";
import { backgroundClock } from "../lifecycle/deadline.ts";
import { AppSignals } from "./app-signals.ts";
import { watchIdleness } from "./idleness.ts";
import { offerReadySignal } from "./ready-signal.ts";
import { refuseCluster } from "./refuse-cluster.ts";
import { Worker } from "./worker.ts";

/** A supervisor that died left no deadline: what it would have granted itself. */
const ORPHAN_GRACE_MS = 30_000;

/** What the supervisor obeys, beside the signals that stop it. */
const GROUP_SIGNALS = ["SIGTTIN", "SIGTTOU", "SIGUSR2"] as const;

const isPretty = isatty(1);
const send = takeChannel();
const readySignal = offerReadySignal(process);
let worker: Promise<Worker> | undefined;

// The supervisor decides when we stop: a terminal or systemd signals every process of the group.
const signals = AppSignals.withhold(process);
for (const signal of GROUP_SIGNALS) process.on(signal, () => {});
refuseCluster();

process.on("message", (message, handle) => {
  const command = parseCommand(message);
  if (command.type === "start") worker = create(command);
  void worker?.then((created) => created.handle(command, handle));
});

process.once("disconnect", () => {
  if (worker === undefined) process.exit(EXIT_CODES.ok);
  void worker.then((created) => created.drain(ORPHAN_GRACE_MS));
});

async function create({ config, slot }: StartCommand): Promise<Worker> {
  const logger = await createLogger({ level: config.log.level, pretty: isPretty });
  const log = logger.child({ worker: slot, pid: process.pid });
  const created = new Worker({
    log,
    isPretty,
    cwd: process.cwd(),
    report,
    readySignal,
    isMain: true,
    clock: backgroundClock,
    process: { idleness: watchIdleness(process), tellApp: () => signals.tell() },
    openTarget: ({ descriptor }) => ({ fd: descriptor }),
  });
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (thrown: unknown) => {
      const error = describeError(thrown);
      log.fatal({ error, event }, "worker crashed");
      // To a supervisor that still waits for us, this is why the start failed.
      if (process.connected) send({ type: "failed", error });
      process.exit(EXIT_CODES.failure);
    });
  }
  process.once("exit", () => {
    // Whoever ends the process, an app's process.exit() included: what was counted must not be lost.
    attempt(() => created.flushSync());
    attempt(() => report({ type: "snapshot", snapshot: created.snapshot() }));
  });
  return created;
}

/** While we exit, what fails must change neither the exit code nor what comes after it. */
function attempt(step: () => void): void {
  try {
    step();
  } catch {
    // There is no time left to tell of it.
  }
}

function report(fact: Report): void {
  if (fact.type === "drained") leave(fact, EXIT_CODES.ok);
  else if (fact.type === "failed") leave(fact, EXIT_CODES.startup);
  else if (process.connected) send(fact);
}

/** Exits once the last word is out; without a supervisor there is nobody to tell. */
function leave(lastWord: Report, exitCode: ExitCode): void {
  if (process.connected) send(lastWord, () => process.exit(exitCode));
  else process.exit(exitCode);
}

/** Takes the channel away from the app: what it sends is not for us. */
function takeChannel(): (message: Report, onSent?: () => void) => void {
  const original = process.send?.bind(process);
  if (original === undefined) {
    throw new TypeError("worker/main is started by the supervisor, not by hand");
  }
  // With no callback, a supervisor that died a moment ago would be an error that ends us.
  return (message, onSent = () => {}) => void original(message, undefined, undefined, onSent);
}

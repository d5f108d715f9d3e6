/** Entry of a worker process: ties a `Worker` to the channel of its supervisor. */
import { isatty } from "node:tty";
import { describeError, EXIT_CODES, type ExitCode } from "../errors.ts";
import { createLogger, type Logger } from "../log/logger.ts";
import { parseCommand, type Report, type StartCommand } from "../protocol.ts";
import { Worker } from "./worker.ts";

/** A supervisor that died left no deadline: what it would have granted itself. */
const ORPHAN_GRACE_MS = 30_000;

const isPretty = isatty(1);
const send = takeChannel();

// The supervisor decides when we stop: a terminal or systemd signals every process of the group.
for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"] as const)
  process.on(signal, () => {});
process.once("message", (message) => void start(message));

async function start(message: unknown): Promise<void> {
  const command = parseCommand(message);
  if (command.type !== "start")
    throw new TypeError(`Cannot carry out "${command.type}" before "start"`);
  const log = await openLog(command);
  const worker = new Worker({
    log,
    isPretty,
    cwd: process.cwd(),
    report,
    openTarget: ({ descriptor }) => ({ fd: descriptor }),
  });
  process.on("message", (next) => worker.handle(parseCommand(next)));
  process.once("disconnect", () => worker.drain(ORPHAN_GRACE_MS));
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: describeError(error), event }, "worker crashed");
      process.exit(EXIT_CODES.failure);
    });
  }
  process.once("exit", () => {
    // Whoever ended the process, an app's process.exit() included: what was counted must not be lost.
    worker.flushSync();
    if (process.connected) send({ type: "snapshot", snapshot: worker.snapshot() });
  });
  worker.handle(command);
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

/** Takes the channel away from the app, which would otherwise think it was forked to report to us. */
function takeChannel(): (message: Report, onSent?: () => void) => void {
  const original = process.send?.bind(process);
  if (original === undefined)
    throw new TypeError("worker/main is started by the supervisor, not by hand");
  delete process.send;
  return (message, onSent) => void original(message, undefined, undefined, onSent);
}

function openLog({ config, slot }: StartCommand): Promise<Logger> {
  return createLogger({ level: config.log.level, pretty: isPretty }).then((log) =>
    log.child({ worker: slot, pid: process.pid }),
  );
}

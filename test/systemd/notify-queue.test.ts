import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { NotifyQueue, type RunCommand } from "../../src/systemd/notify-queue.ts";
import { recordingLogger, type RecordedLine } from "../helpers/recording-logger.ts";

interface Bench {
  readonly queue: NotifyQueue;
  /** Arguments of every command so far. */
  readonly runs: readonly (readonly string[])[];
  readonly environments: readonly Readonly<Record<string, string | undefined>>[];
  /** Ends the command that runs. */
  readonly end: (code: number | null | Error) => Promise<void>;
  readonly lines: readonly RecordedLine[];
}

function build(): Bench {
  const { log, lines } = recordingLogger();
  const runs: (readonly string[])[] = [];
  const environments: Readonly<Record<string, string | undefined>>[] = [];
  let ending = Promise.withResolvers<number | null>();
  const run: RunCommand = (args, env) => {
    runs.push(args);
    environments.push(env);
    ending = Promise.withResolvers();
    return ending.promise;
  };
  const queue = new NotifyQueue({ socket: "@manager", env: { PATH: "/bin" }, log, run });
  return {
    queue,
    runs,
    environments,
    lines,
    async end(code) {
      if (code instanceof Error) ending.reject(code);
      else ending.resolve(code);
      await nextTurn();
    },
  };
}

describe("NotifyQueue", () => {
  it("sends one message after another, each as one command", async () => {
    const { queue, runs, environments, end } = build();
    queue.send({ READY: 1, STATUS: "Ready, on it" });
    queue.send({ WATCHDOG: 1 });
    assert.deepEqual(runs, [["READY=1", "STATUS=Ready, on it"]]);
    await end(0);
    assert.deepEqual(runs[1], ["WATCHDOG=1"]);
    assert.deepEqual(environments[0], { PATH: "/bin", NOTIFY_SOCKET: "@manager" });
  });

  it("makes one line of what an app may have said", async () => {
    const { queue, runs } = build();
    queue.send({ STATUS: `Not ready: a\nMAINPID=1\0${"x".repeat(1_000)}` });
    assert.match(runs[0]?.[0] ?? "", /^STATUS=Not ready: a MAINPID=1 x{400,500}$/);
  });

  it("keeps the last of those that wait and say the same", async () => {
    const { queue, runs, end } = build();
    queue.send({ STATUS: "a" });
    for (const STATUS of ["b", "c"]) {
      queue.send({ STATUS });
      queue.send({ WATCHDOG: 1 });
    }
    queue.send({ STOPPING: 1, STATUS: "d" });
    for (let turn = 0; turn < 4; turn += 1) await end(0);
    assert.deepEqual(runs, [
      ["STATUS=a"],
      ["STATUS=c"],
      ["WATCHDOG=1"],
      ["STOPPING=1", "STATUS=d"],
    ]);
  });

  it("is flushed when all is sent, and waits no longer than it is told", async () => {
    const { queue, end } = build();
    await queue.flush(10_000);
    queue.send({ STOPPING: 1 });
    await queue.flush(1);
    const flushed = queue.flush(10_000);
    await end(0);
    await flushed;
  });

  it("says once that the manager cannot be told, and goes on", async () => {
    const { queue, runs, lines, end } = build();
    for (const STATUS of ["a", "b"]) queue.send({ [STATUS]: 1 });
    await end(Object.assign(new Error("spawn"), { code: "ENOENT" }));
    await end(1);
    assert.equal(runs.length, 2);
    assert.deepEqual(
      lines.map(({ level, msg, fields }) => [level, msg, fields["problem"]]),
      [["error", "service manager cannot be told", "systemd-notify cannot be run (ENOENT)"]],
    );
  });

  for (const [code, problem] of [[1, "systemd-notify exited with 1"], [null, "systemd-notify was killed"]] as const) {
    it(`takes it for a failure: ${problem}`, async () => {
      const { queue, lines, end } = build();
      queue.send({ READY: 1 });
      await end(code);
      assert.equal(lines[0]?.fields["problem"], problem);
    });
  } // prettier-ignore
});

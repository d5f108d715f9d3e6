import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Endpoint } from "../../src/config/config.ts";
import {
  NOTHING_FOUND,
  type ConnectTarget,
  type EndToEndCheck,
  type Listener,
} from "../../src/listener/listener.ts";
import { ListenerManager, type GuardEvent } from "../../src/listener/manager.ts";
import { within } from "../helpers/deadline.ts";
import { describeDir } from "../helpers/dir-snapshot.ts";
import { abstractEndpoint, tcpEndpoint, unixEndpoint } from "../helpers/endpoints.ts";
import { freePort } from "../helpers/nginx.ts";
import { leaveStaleSocket } from "../helpers/other-owners.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { targetOf } from "./listener-suite.ts";

const never = new AbortController().signal;
const passes: EndToEndCheck = async () => {};

async function claim(scope: Scope, endpoints: readonly Endpoint[]): Promise<ListenerManager> {
  const manager = await ListenerManager.claim(endpoints);
  onEnd(scope, () => manager.close());
  return manager;
}

/** Resolves with the code of the refusal, or `connected`. */
async function knock(target: ConnectTarget): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(target, () => resolve("connected"));
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  try {
    return await within(5_000, promise, "an answer to connect");
  } finally {
    socket.destroy();
  }
}

/** Records in which order the listeners of a manager are withdrawn or closed. */
function recordCalls(manager: ListenerManager, method: "close" | "withdraw"): readonly string[] {
  const calls: string[] = [];
  for (const listener of manager.listeners) {
    const original = listener[method].bind(listener);
    listener[method] = () => {
      calls.push(listener.address);
      return original();
    };
  }
  return calls;
}

describe("ListenerManager.claim", () => {
  it("claims an endpoint of every kind, in order", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const manager = await claim(t, [
      unixEndpoint(path),
      tcpEndpoint("127.0.0.1"),
      abstractEndpoint(`or-test-m-${process.pid}`),
    ]);
    const addresses = manager.listeners.map(({ address }) => address);
    assert.equal(addresses[0], path);
    assert.match(addresses[1] ?? "", /^127\.0\.0\.1:\d+$/);
    assert.equal(addresses[2], `@or-test-m-${process.pid}`);
  });

  it("gives back the first ones when a later one fails", async (t) => {
    const dir = await tempDir(t);
    const port = await freePort();
    await writeFile(join(dir, "file"), "precious");
    const before = await describeDir(dir);
    await assert.rejects(
      claim(t, [
        unixEndpoint(join(dir, "one.sock")),
        tcpEndpoint("127.0.0.1", port),
        unixEndpoint(join(dir, "two.sock")),
        unixEndpoint(join(dir, "file")),
      ]),
      /Cannot listen on .*\/file: a regular file is there/,
    );
    assert.deepEqual(await describeDir(dir), before);
    await claim(t, [
      unixEndpoint(join(dir, "one.sock")),
      tcpEndpoint("127.0.0.1", port),
      unixEndpoint(join(dir, "two.sock")),
    ]);
  });

  it("refuses the same path twice", async (t) => {
    const dir = await tempDir(t);
    const endpoint = unixEndpoint(join(dir, "app.sock"));
    await assert.rejects(claim(t, [endpoint, endpoint]), { code: "ERR_LISTEN" });
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("ListenerManager.publish", () => {
  it("checks every socket before it publishes the first", async (t) => {
    const dir = await tempDir(t);
    const manager = await claim(t, [
      unixEndpoint(join(dir, "one.sock")),
      unixEndpoint(join(dir, "two.sock")),
    ]);
    const checked: ConnectTarget[] = [];
    const check: EndToEndCheck = async (target) => {
      checked.push(target);
      assert.deepEqual(
        (await readdir(dir)).filter((name) => name.endsWith(".sock")),
        [],
      );
    };
    await manager.publish(check, never);
    assert.deepEqual(
      checked,
      manager.listeners.map(({ connectTarget }) => connectTarget),
    );
    assert.deepEqual(
      (await readdir(dir)).filter((name) => name.endsWith(".sock")),
      ["one.sock", "two.sock"],
    );
  });

  it("publishes nothing when a check fails", async (t) => {
    const dir = await tempDir(t);
    const manager = await claim(t, [
      unixEndpoint(join(dir, "one.sock")),
      unixEndpoint(join(dir, "two.sock")),
    ]);
    let checks = 0;
    const failsAtLast: EndToEndCheck = async () => {
      checks += 1;
      if (checks === 2) throw new Error("no answer");
    };
    await assert.rejects(manager.publish(failsAtLast, never), /no answer/);
    assert.deepEqual(
      (await readdir(dir)).filter((name) => name.endsWith(".sock")),
      [],
    );
    await manager.close();
    assert.deepEqual(await readdir(dir), []);
  });

  it("leaves nothing after the close that follows a publication that failed half-way", async (t) => {
    const dir = await tempDir(t);
    const manager = await claim(t, [
      unixEndpoint(join(dir, "one.sock")),
      unixEndpoint(join(dir, "two.sock")),
    ]);
    await writeFile(join(dir, "two.sock"), "precious");
    await assert.rejects(manager.publish(passes, never), /two\.sock: a regular file is there/);
    const calls = recordCalls(manager, "close");
    await manager.close();
    assert.deepEqual(calls, [join(dir, "two.sock"), join(dir, "one.sock")]);
    assert.deepEqual(await readdir(dir), ["two.sock"]);
  });

  it("tells which stale sockets it replaced, and counts them", async (t) => {
    const dir = await tempDir(t);
    await leaveStaleSocket(t, join(dir, "two.sock"));
    const manager = await claim(t, [
      unixEndpoint(join(dir, "one.sock")),
      unixEndpoint(join(dir, "two.sock")),
    ]);
    const replaced = await manager.publish(passes, never);
    assert.deepEqual(
      replaced.map(({ address }) => address),
      [join(dir, "two.sock")],
    );
    assert.equal(manager.staleRemoved, 1);
  });

  it("hands the signal to the check", async (t) => {
    const manager = await claim(t, [tcpEndpoint("127.0.0.1")]);
    const { signal } = new AbortController();
    await manager.publish(async (_, given) => assert.equal(given, signal), signal);
  });
});

describe("ListenerManager.startGuard", () => {
  it("tells within 2 s of a lost name and of its return", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const manager = await claim(t, [tcpEndpoint("127.0.0.1"), unixEndpoint(path)]);
    await manager.publish(passes, never);
    const { promise, resolve } = Promise.withResolvers<GuardEvent>();
    manager.startGuard(resolve);
    await rm(path);
    const { listener, finding } = await within(2_000, promise, "the guard");
    assert.equal(listener.address, path);
    assert.deepEqual(finding, { ...NOTHING_FOUND, isLost: true, isRestored: true });
  });
});

describe("ListenerManager.reclaim", () => {
  it("puts a new listener where one stood that lost its directory", async (t) => {
    const dir = join(await tempDir(t), "run");
    await mkdir(dir);
    const path = join(dir, "app.sock");
    const manager = await claim(t, [unixEndpoint(path), tcpEndpoint("127.0.0.1")]);
    await manager.publish(passes, never);
    const [lost, other] = manager.listeners;
    assert.ok(lost && other);
    await rm(dir, { recursive: true });
    await assert.rejects(manager.reclaim(lost), /directory .* does not exist/);
    await mkdir(dir);
    const found = await manager.reclaim(lost);
    assert.deepEqual(manager.listeners, [found, other]);
    await found.publish();
    assert.equal(found.problem, undefined);
    await manager.close();
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("ListenerManager.reclaim, when it cannot", () => {
  /** A manager of one published socket, whose directory is removed. */
  async function loseDirectory(
    scope: Scope,
  ): Promise<{ readonly dir: string; readonly manager: ListenerManager; readonly lost: Listener }> {
    const dir = join(await tempDir(scope), "run");
    await mkdir(dir);
    const manager = await claim(scope, [unixEndpoint(join(dir, "app.sock"))]);
    await manager.publish(passes, never);
    const [lost] = manager.listeners;
    assert.ok(lost);
    await rm(dir, { recursive: true });
    return { dir, manager, lost };
  }

  it("says on the lost listener that it is bound anew, and why it could not", async (t) => {
    const { dir, manager, lost } = await loseDirectory(t);
    const close = lost.close.bind(lost);
    const problems: unknown[] = [];
    lost.close = async (problem) => {
      await close(problem);
      problems.push(lost.problem);
    };
    await assert.rejects(manager.reclaim(lost), /does not exist/);
    assert.equal(problems[0], "the socket file is gone; the socket is being bound anew");
    assert.match(
      lost.problem ?? "",
      new RegExp(`gone and the socket cannot be bound anew: .*directory ${dir} does not exist`),
    );
    await manager.withdraw();
    assert.match(lost.problem ?? "", /cannot be bound anew/);
  });

  it("gives back what it claims after a close has begun", async (t) => {
    const { dir, manager, lost } = await loseDirectory(t);
    await mkdir(dir);
    const close = lost.close.bind(lost);
    // The claim of the endpoint comes next, and is not finished before the close begins.
    let closing: Promise<void> | undefined;
    lost.close = async (problem) => {
      await close(problem);
      queueMicrotask(() => queueMicrotask(() => (closing ??= manager.close())));
    };
    await assert.rejects(manager.reclaim(lost), { code: "ERR_STATE" });
    await closing;
    assert.deepEqual(await readdir(dir), []);
    const successor = await claim(t, [unixEndpoint(join(dir, "app.sock"))]);
    await successor.close();
  });

  it("claims nothing once it is closed", async (t) => {
    const { dir, manager, lost } = await loseDirectory(t);
    await mkdir(dir);
    await manager.close();
    await assert.rejects(manager.reclaim(lost), { code: "ERR_STATE" });
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("ListenerManager.withdraw", () => {
  it("takes the names away in reverse order and keeps the sockets", async (t) => {
    const dir = await tempDir(t);
    const manager = await claim(t, [
      unixEndpoint(join(dir, "one.sock")),
      unixEndpoint(join(dir, "two.sock")),
    ]);
    await manager.publish(passes, never);
    const calls = recordCalls(manager, "withdraw");
    await manager.withdraw();
    assert.deepEqual(calls, [join(dir, "two.sock"), join(dir, "one.sock")]);
    assert.deepEqual(
      (await readdir(dir)).filter((name) => name.endsWith(".sock")),
      [],
    );
    for (const listener of manager.listeners)
      assert.equal(await knock(targetOf(listener)), "ECONNREFUSED");
  });
});

describe("ListenerManager.close", () => {
  it("closes every listener once, in reverse order, however often it is called", async (t) => {
    const dir = await tempDir(t);
    const manager = await claim(t, [
      unixEndpoint(join(dir, "one.sock")),
      unixEndpoint(join(dir, "two.sock")),
    ]);
    const calls = recordCalls(manager, "close");
    await Promise.all([manager.close(), manager.close()]);
    await manager.close();
    assert.deepEqual(calls, [join(dir, "two.sock"), join(dir, "one.sock")]);
    assert.deepEqual(await readdir(dir), []);
  });

  it("closes the others too when one fails, and then says so", async (t) => {
    const dir = await tempDir(t);
    const manager = await ListenerManager.claim([
      unixEndpoint(join(dir, "one.sock")),
      tcpEndpoint("127.0.0.1"),
    ]);
    const last = manager.listeners[1];
    const original = last?.close.bind(last);
    if (last !== undefined)
      last.close = async () => {
        await original?.();
        throw new Error("close failed");
      };
    const closed = manager.close();
    await assert.rejects(closed, /close failed/);
    assert.deepEqual(await readdir(dir), []);
  });

  it("lets go of the process's exit", async (t) => {
    const before = process.listenerCount("exit");
    const manager = await claim(t, [tcpEndpoint("127.0.0.1")]);
    await manager.close();
    assert.equal(process.listenerCount("exit"), before);
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { link, lstat, readdir, rename, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import type { Endpoint } from "../../src/config/config.ts";
import type { TakeoverTerms } from "../../src/listener/incumbent.ts";
import {
  NOTHING_FOUND,
  type EndToEndCheck,
  type GuardFinding,
} from "../../src/listener/listener.ts";
import { Lock, acquireLock, joinLock } from "../../src/listener/lock.ts";
import { ListenerManager } from "../../src/listener/manager.ts";
import { choosePrivatePath } from "../../src/listener/private-names.ts";
import { PublicName } from "../../src/listener/public-name.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { describeFile } from "../helpers/dir-snapshot.ts";
import { abstractEndpoint, tcpEndpoint, unixEndpoint } from "../helpers/endpoints.ts";
import { freePort } from "../helpers/nginx.ts";
import { leaveStaleSocket, listenForeign } from "../helpers/other-owners.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { serve, targetOf } from "./listener-suite.ts";

const DEADLINE_MS = 10_000;
const never = new AbortController().signal;
const passes: EndToEndCheck = async () => {};
const fails: EndToEndCheck = async () => {
  throw new Error("no answer");
};
const NO_OPS = { wantsOps: false };

/** A manager that serves, and what it was told by a successor. */
interface Live {
  readonly manager: ListenerManager;
  readonly events: string[];
}

/** Puts a manager in service that another one may relieve. */
async function startLive(
  scope: Scope,
  endpoints: readonly Endpoint[],
  terms: Partial<TakeoverTerms> = {},
): Promise<Live> {
  const manager = await ListenerManager.claim(endpoints);
  onEnd(scope, () => manager.close());
  for (const listener of manager.listeners) await serve(scope, listener);
  await manager.publish(passes, never);
  return { manager, events: offer(manager, terms) };
}

/** Lets a manager be relieved; the list grows with what comes of it. */
function offer(manager: ListenerManager, terms: Partial<TakeoverTerms> = {}): string[] {
  const events: string[] = [];
  manager.startGuard(({ finding }) => finding.isLost && events.push("lost"));
  manager.offer({
    opsPort: () => undefined,
    probePort: () => undefined,
    letGoOfOps: async () => void events.push("ops"),
    onTakenOver: ({ pid }) => events.push(`taken over by ${pid}`),
    onRecovered: ({ address }) => events.push(`recovered ${basename(address)}`),
    ...terms,
  });
  return events;
}

/** A manager that is going to relieve another. */
async function startHeir(scope: Scope, endpoints: readonly Endpoint[]): Promise<ListenerManager> {
  const heir = await ListenerManager.claimFromLive(endpoints);
  onEnd(scope, () => heir.close());
  for (const listener of heir.listeners) await serve(scope, listener);
  await heir.publish(passes, never);
  return heir;
}

async function inodeOf(path: string): Promise<bigint> {
  return (await lstat(path, { bigint: true })).ino;
}

async function assertThirdRefused(path: string): Promise<void> {
  await assert.rejects(UnixListener.claim(unixEndpoint(path)), /another process holds its lock/);
}

/** A successor of which the test says what it says. */
interface FakeHeir {
  readonly socket: Socket;
  readonly line: () => Promise<string | undefined>;
}

async function talkTo(scope: Scope, manager: ListenerManager): Promise<FakeHeir> {
  const [listener] = manager.listeners;
  assert.ok(listener instanceof UnixListener);
  const socket = connect({ path: listener.lock.name });
  socket.on("error", () => {});
  onEnd(scope, () => socket.destroy());
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const heir: FakeHeir = {
    socket,
    line: async () => {
      const { value, done } = await within(DEADLINE_MS, lines.next(), "a line");
      return done === true ? undefined : value;
    },
  };
  assert.match((await heir.line()) ?? "", /^outrigger\/1 pid=/);
  return heir;
}

describe("a takeover", () => {
  it("moves every path, leaves the old sockets listening and frees nothing in between", async (t) => {
    const dir = await tempDir(t);
    const endpoints = ["one.sock", "two.sock"].map((name) =>
      unixEndpoint(join(dir, name), { name }),
    );
    const { manager, events } = await startLive(t, endpoints);
    const heir = await startHeir(t, endpoints);
    const before = await inodeOf(join(dir, "one.sock"));
    await assertThirdRefused(join(dir, "one.sock"));
    assert.ok(await heir.succeed(passes, NO_OPS));
    assert.notEqual(await inodeOf(join(dir, "one.sock")), before);
    assert.deepEqual(events, [`taken over by ${process.pid}`]);
    for (const name of ["one.sock", "two.sock"]) await assertThirdRefused(join(dir, name));
    for (const listener of manager.listeners) {
      const socket = connect(targetOf(listener));
      await within(DEADLINE_MS, once(socket, "connect"), "the old socket to accept");
      socket.destroy();
    }
    await manager.withdraw();
    await manager.close();
    assert.equal((await readdir(dir)).length, 4, "two sockets with two names each");
    await heir.close();
    assert.deepEqual(await readdir(dir), []);
    assert.deepEqual(events, [`taken over by ${process.pid}`]);
  });

  it("tells when the ops port is free", async (t) => {
    const endpoint = unixEndpoint(join(await tempDir(t), "app.sock"));
    const ops = Promise.withResolvers<void>();
    const { manager } = await startLive(t, [endpoint], {
      opsPort: () => 4711,
      letGoOfOps: () => ops.promise,
    });
    const heir = await startHeir(t, [endpoint]);
    assert.equal(heir.predecessor?.opsPort, 4711);
    const handover = await heir.succeed(passes, { wantsOps: true });
    let isFree = false;
    const free = handover?.opsFree.then(() => (isFree = true)) ?? assert.fail("no handover");
    assert.equal(isFree, false);
    ops.resolve();
    await within(DEADLINE_MS, free, "the ops port");
    await manager.close();
  });

  it("is an ordinary start where nobody is", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    await leaveStaleSocket(t, path);
    const manager = await ListenerManager.claimFromLive([unixEndpoint(path)]);
    onEnd(t, () => manager.close());
    assert.equal(manager.predecessor, undefined);
    assert.equal((await manager.publish(passes, never)).length, 1);
    assert.equal(await manager.succeed(passes, NO_OPS), undefined);
    await assertThirdRefused(path);
  });

  it("is an ordinary start when the live one ends before", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { manager } = await startLive(t, [unixEndpoint(path)]);
    const heir = await startHeir(t, [unixEndpoint(path)]);
    await manager.close();
    await assertThirdRefused(path);
    assert.ok(await heir.succeed(passes, NO_OPS));
    assert.equal(heir.listeners[0]?.problem, undefined);
    assert.equal((await lstat(path)).isSocket(), true);
    await assertThirdRefused(path);
  });

  it("takes a new path along", async (t) => {
    const dir = await tempDir(t);
    const [one, two] = ["one.sock", "two.sock"].map((name) =>
      unixEndpoint(join(dir, name), { name }),
    );
    assert.ok(one && two);
    const { events } = await startLive(t, [one]);
    const heir = await startHeir(t, [one, two]);
    await heir.succeed(passes, NO_OPS);
    assert.deepEqual(events, [`taken over by ${process.pid}`]);
    assert.deepEqual((await readdir(dir)).filter((name) => name.endsWith(".sock")).toSorted(), [
      "one.sock",
      "two.sock",
    ]);
  });

  it("gives everything back when nobody answers by the public name", async (t) => {
    const dir = await tempDir(t);
    const endpoints = ["one.sock", "two.sock"].map((name) =>
      unixEndpoint(join(dir, name), { name }),
    );
    const { manager, events } = await startLive(t, endpoints);
    const before = await Promise.all(endpoints.map(({ path }) => describeFile(path)));
    const heir = await startHeir(t, endpoints);
    await assert.rejects(heir.succeed(fails, NO_OPS), /no answer/);
    await heir.close();
    assert.deepEqual(await Promise.all(endpoints.map(({ path }) => describeFile(path))), before);
    const next = await startHeir(t, endpoints);
    await next.succeed(passes, NO_OPS);
    assert.deepEqual(events, [`taken over by ${process.pid}`]);
    await manager.close();
  });

  it("leaves the way back to the other one where it cannot give a path back", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { events } = await startLive(t, [unixEndpoint(path)]);
    const before = await inodeOf(path);
    const heir = await startHeir(t, [unixEndpoint(path)]);
    t.mock.method(PublicName.prototype, "giveBack", () => Promise.reject(new Error("EPERM")));
    await assert.rejects(heir.succeed(fails, NO_OPS), /no answer/);
    const isBack = async (): Promise<true | undefined> =>
      (await inodeOf(path)) === before || undefined;
    await eventually(DEADLINE_MS, isBack, "the old socket to be back");
    await heir.close();
    assert.equal(await inodeOf(path), before);
    await assertThirdRefused(path);
    assert.deepEqual(events, ["recovered app.sock"]);
  });

  it("is refused in a sentence where the old name cannot be replaced", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { events } = await startLive(t, [unixEndpoint(path)]);
    const heir = await startHeir(t, [unixEndpoint(path)]);
    const denied = Object.assign(new Error("denied"), { code: "EPERM" });
    t.mock.method(PublicName.prototype, "takeFromLive", () => Promise.reject(denied));
    await assert.rejects(heir.succeed(passes, NO_OPS), {
      code: "ERR_LISTEN",
      message: `Cannot listen on ${path}: cannot put the socket in its place (EPERM)`,
    });
    assert.deepEqual(events, []);
  });

  it("is undone when one of the paths cannot be taken", async (t) => {
    const dir = await tempDir(t);
    const endpoints = ["one.sock", "two.sock"].map((name) =>
      unixEndpoint(join(dir, name), { name }),
    );
    const { manager, events } = await startLive(t, endpoints);
    const heir = await startHeir(t, endpoints);
    const before = await describeFile(join(dir, "one.sock"));
    await rm(join(dir, "two.sock"));
    await writeFile(join(dir, "two.sock"), "precious");
    await assert.rejects(
      heir.succeed(passes, NO_OPS),
      /two\.sock: what is there now is not the socket of the outrigger to take over from/,
    );
    assert.equal(await describeFile(join(dir, "one.sock")), before);
    assert.equal(events.includes(`taken over by ${process.pid}`), false);
    await heir.close();
    await manager.close();
    assert.deepEqual(await readdir(dir), ["two.sock"]);
  });

  it("may follow another before the first one has ended", async (t) => {
    const dir = await tempDir(t);
    const endpoint = unixEndpoint(join(dir, "app.sock"));
    const first = await startLive(t, [endpoint]);
    const managers = [first.manager];
    for (let round = 0; round < 3; round += 1) {
      const heir = await startHeir(t, [endpoint]);
      await heir.succeed(passes, NO_OPS);
      offer(heir);
      managers.push(heir);
    }
    for (const manager of managers) await manager.close();
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("the guard of one that is taken over", () => {
  it("does not count it as a loss, however late it looks", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { manager } = await startLive(t, [unixEndpoint(path)]);
    const [listener] = manager.listeners;
    assert.ok(listener);
    const looks: Promise<GuardFinding>[] = [];
    const heir = await startHeir(t, [unixEndpoint(path)]);
    const looksInBetween: EndToEndCheck = async () => void looks.push(listener.guard());
    await heir.succeed(looksInBetween, NO_OPS);
    looks.push(listener.guard());
    assert.deepEqual(await Promise.all(looks), [NOTHING_FOUND, NOTHING_FOUND]);
    assert.equal(listener.problem, "taken over by another outrigger");
    assert.equal(heir.listeners[0]?.problem, undefined);
  });
});

describe("a takeover that is not possible", () => {
  it("names the one who is taking over already", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await startLive(t, [unixEndpoint(path)]);
    await startHeir(t, [unixEndpoint(path)]);
    await assert.rejects(
      ListenerManager.claimFromLive([unixEndpoint(path)]),
      new RegExp(
        `Cannot take over ${path}: another process is taking it over already \\(pid ${process.pid}, as it says\\)`,
      ),
    );
  });

  it("is refused while the other one starts", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const manager = await ListenerManager.claim([unixEndpoint(path)]);
    onEnd(t, () => manager.close());
    await assert.rejects(
      ListenerManager.claimFromLive([unixEndpoint(path)]),
      /is not ready yet; try again when it is/,
    );
  });

  for (const other of [tcpEndpoint("127.0.0.1"), abstractEndpoint(`or-test-t-${process.pid}`)]) {
    it(`is refused when the other one serves ${other.kind} too`, async (t) => {
      const dir = await tempDir(t);
      const endpoint = unixEndpoint(join(dir, "app.sock"));
      await startLive(t, [endpoint, { ...other, name: "other" }]);
      const names = await readdir(dir);
      await assert.rejects(
        ListenerManager.claimFromLive([endpoint, other]),
        /serves TCP, abstract or handed endpoints too, which cannot change hands; stop that one first/,
      );
      assert.deepEqual(await readdir(dir), names);
    });
  }

  it("is refused when the other one serves more paths", async (t) => {
    const dir = await tempDir(t);
    const endpoints = ["one.sock", "two.sock"].map((name) =>
      unixEndpoint(join(dir, name), { name }),
    );
    await startLive(t, endpoints);
    await assert.rejects(
      ListenerManager.claimFromLive(endpoints.slice(0, 1)),
      /serves 2 socket paths, and all of them change hands or none; name all 2/,
    );
  });

  it("is refused when two processes have the paths", async (t) => {
    const dir = await tempDir(t);
    const endpoints = ["one.sock", "two.sock"].map((name) =>
      unixEndpoint(join(dir, name), { name }),
    );
    for (const endpoint of endpoints) await startLive(t, [endpoint]);
    await assert.rejects(
      ListenerManager.claimFromLive(endpoints),
      /belong to two processes; stop one of them first/,
    );
  });

  it("is refused by a TCP port that somebody has, and says what can be moved", async (t) => {
    const port = await freePort();
    await startLive(t, [tcpEndpoint("127.0.0.1", port)]);
    await assert.rejects(
      ListenerManager.claimFromLive([tcpEndpoint("127.0.0.1", port)]),
      /already in use; .*; a takeover moves Unix socket paths only$/,
    );
  });

  it("is refused by a socket that is not an outrigger's", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await listenForeign(t, path);
    const before = await describeFile(path);
    await assert.rejects(
      ListenerManager.claimFromLive([unixEndpoint(path)]),
      /its socket belongs to a live process that accepts connections/,
    );
    assert.equal(await describeFile(path), before);
  });

  for (const answer of ["4711", "outrigger/2 pid=1 state=ready\n", "\n".repeat(100)]) {
    it(`is refused by a holder of its lock that answers ${JSON.stringify(answer.slice(0, 9))}`, async (t) => {
      const path = join(await tempDir(t), "app.sock");
      const lock = await acquireLock(path);
      assert.ok(lock instanceof Lock);
      lock.release();
      const squatter = createServer((socket) => socket.on("error", () => {}).end(answer));
      onEnd(t, () => squatter.close());
      await once(squatter.listen({ path: lock.name }), "listening");
      await assert.rejects(
        ListenerManager.claimFromLive([unixEndpoint(path)]),
        /does not answer as an outrigger of this version; stop that one first/,
      );
    });
  }

  it("leaves no lock behind", async (t) => {
    const dir = await tempDir(t);
    const endpoints = ["one.sock", "two.sock"].map((name) =>
      unixEndpoint(join(dir, name), { name }),
    );
    const { manager } = await startLive(t, endpoints.slice(1));
    await assert.rejects(
      ListenerManager.claimFromLive([...endpoints, tcpEndpoint("256.0.0.1")]),
      /256/,
    );
    const lock = await acquireLock(join(dir, "one.sock"));
    assert.ok(lock instanceof Lock);
    lock.release();
    await manager.close();
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("who talks to the lock of a live one", () => {
  it("is not believed: the path must have changed", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { manager, events } = await startLive(t, [unixEndpoint(path)]);
    const stranger = await talkTo(t, manager);
    stranger.socket.write("takeover 1\n");
    assert.equal(await stranger.line(), "go");
    stranger.socket.write("taken ops\n");
    assert.equal(await stranger.line(), "refused");
    stranger.socket.end();
    assert.equal(await stranger.line(), undefined);
    assert.deepEqual(events, []);
    await assertThirdRefused(path);
  });

  for (const [what, put] of Object.entries({
    "a file": (_: Scope, path: string) => writeFile(path, "precious"),
    "a dead socket": leaveStaleSocket,
  })) {
    it(`is not believed when ${what} has taken its place`, async (t) => {
      const path = join(await tempDir(t), "app.sock");
      const { manager, events } = await startLive(t, [unixEndpoint(path)]);
      const stranger = await talkTo(t, manager);
      stranger.socket.write("takeover 1\n");
      assert.equal(await stranger.line(), "go");
      await rm(path);
      await put(t, path);
      stranger.socket.write("taken\n");
      assert.equal(await stranger.line(), "refused");
      assert.equal(
        events.some((event) => event.startsWith("taken over")),
        false,
      );
    });
  }

  it("holds the place of a guard no longer than three seconds", { timeout: 20_000 }, async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { manager } = await startLive(t, [unixEndpoint(path)]);
    const stranger = await talkTo(t, manager);
    stranger.socket.write("takeover 1\n");
    assert.equal(await stranger.line(), "go");
    await within(5_000, manager.withdraw(), "the withdrawal");
  });

  it("has to wait until another one is done", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { manager } = await startLive(t, [unixEndpoint(path)]);
    const first = await talkTo(t, manager);
    const second = await talkTo(t, manager);
    first.socket.write("takeover 1\n");
    assert.equal(await first.line(), "go");
    second.socket.write("takeover 2\n");
    first.socket.destroy();
    assert.equal(await second.line(), "go");
  });
});

/** What a successor is at the moment it dies: its socket, bound under a private name, and its place in line. */
interface DyingHeir {
  /** Puts its socket at the public name. */
  takeName(): Promise<void>;
}

/** A socket that was an Outrigger's until it was killed, beside a path. */
async function startDyingHeir(scope: Scope, path: string): Promise<DyingHeir> {
  const own = choosePrivatePath(path);
  await leaveStaleSocket(scope, own);
  return {
    async takeName() {
      const staging = choosePrivatePath(path);
      await link(own, staging);
      await rename(staging, path);
    },
  };
}

describe("a successor that dies", () => {
  it("before the rename changes nothing", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const { manager, events } = await startLive(t, [unixEndpoint(path)]);
    const before = await describeFile(path);
    await startDyingHeir(t, path);
    const heir = await talkTo(t, manager);
    heir.socket.write("takeover 1\n");
    assert.equal(await heir.line(), "go");
    heir.socket.destroy();
    await settled(manager);
    assert.equal(await describeFile(path), before);
    assert.deepEqual(events, []);
    await manager.close();
    assert.deepEqual(await readdir(dir), []);
  });

  it("after the rename loses the path to the one it came for", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const { manager, events } = await startLive(t, [unixEndpoint(path)]);
    const before = await inodeOf(path);
    const dying = await startDyingHeir(t, path);
    const heir = await talkTo(t, manager);
    heir.socket.write("takeover 1\n");
    assert.equal(await heir.line(), "go");
    await dying.takeName();
    assert.notEqual(await inodeOf(path), before);
    heir.socket.destroy();
    await settled(manager);
    assert.equal(await inodeOf(path), before);
    assert.deepEqual(events, ["recovered app.sock"]);
    await assertThirdRefused(path);
    await manager.close();
    assert.deepEqual(await readdir(dir), []);
  });

  it("keeps the path while it lives and only hung up", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { manager, events } = await startLive(t, [unixEndpoint(path)]);
    const lock = await joinLock(path, {
      greet: () => ({
        pid: 1,
        state: "starting",
        id: "0".repeat(32),
        endpoints: 1,
        unix: 1,
        opsPort: undefined,
        probePort: undefined,
      }),
      hear: (_line, conversation) => conversation.close(),
    });
    assert.ok(lock instanceof Lock);
    onEnd(t, () => lock.release());
    assert.equal(lock.isNext, true);
    const dying = await startDyingHeir(t, path);
    const heir = await talkTo(t, manager);
    heir.socket.write("takeover 1\n");
    assert.equal(await heir.line(), "go");
    await dying.takeName();
    const after = await inodeOf(path);
    heir.socket.destroy();
    await settled(manager);
    assert.equal(await inodeOf(path), after);
    assert.equal(events.includes("recovered app.sock"), false);
  });

  /** Resolves when what went on with the name is over. */
  async function settled(manager: ListenerManager): Promise<void> {
    const [listener] = manager.listeners;
    assert.ok(listener instanceof UnixListener);
    const release = await listener.hold();
    release();
  }
});

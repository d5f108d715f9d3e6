import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { it } from "node:test";
import { toListenTarget } from "../../src/listener/descriptor-socket.ts";
import { NOTHING_FOUND, type ConnectTarget, type Listener } from "../../src/listener/listener.ts";
import { within } from "../helpers/deadline.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";

const DEADLINE_MS = 5_000;

/** One kind of listener, claimed at an address of the test's own. */
export interface Subject {
  /** Claims the address and closes the listener when the scope ends; each call means the same address. */
  claim(): Promise<Listener>;
  /** How messages name that address. */
  readonly address: string | RegExp;
}

/** Behaviour every kind of listener has. */
export function testListener(prepare: (scope: Scope) => Promise<Subject>): void {
  it("refuses connections as long as nobody listens on its socket", async (t) => {
    const listener = await (await prepare(t)).claim();
    assert.equal(await talkTo(listener), "ECONNREFUSED");
  });

  it("hands out a socket that others listen on", async (t) => {
    const listener = await (await prepare(t)).claim();
    await serve(t, listener);
    assert.equal(await talkTo(listener), "hello");
  });

  it("has a problem until it is published, and again once it is withdrawn", async (t) => {
    const listener = await (await prepare(t)).claim();
    assert.equal(listener.problem, "not published yet");
    assert.deepEqual(await listener.publish(), { replacedStale: false });
    assert.equal(listener.problem, undefined);
    await listener.withdraw();
    assert.equal(listener.problem, "withdrawn");
  });

  it("is guarded without a finding while all is well", async (t) => {
    const listener = await (await prepare(t)).claim();
    await listener.publish();
    assert.deepEqual(await listener.guard(), NOTHING_FOUND);
    assert.equal(listener.problem, undefined);
  });

  it("can be reached by us after it is withdrawn, until it is closed", async (t) => {
    const listener = await (await prepare(t)).claim();
    const server = await serve(t, listener);
    await listener.publish();
    await listener.withdraw();
    assert.equal(await talkTo(listener), "hello");
    server.close();
    await listener.close();
    assert.notEqual(await talkTo(listener), "hello");
  });

  it("keeps a second claim out and tells it why", async (t) => {
    const subject = await prepare(t);
    const first = await subject.claim();
    await serve(t, first);
    await first.publish();
    await assert.rejects(subject.claim(), (error: Error) => {
      assert.match(
        error.message,
        /^Cannot listen on .*; stop (?:that one|that outrigger|the process)/,
      );
      const { address } = subject;
      const isNamed =
        typeof address === "string" ? error.message.includes(address) : address.test(error.message);
      assert.ok(isNamed, error.message);
      return "code" in error && error.code === "ERR_LISTEN";
    });
    assert.equal(await talkTo(first), "hello");
  });

  it("gives the address back when it is closed", async (t) => {
    const subject = await prepare(t);
    const first = await subject.claim();
    await first.publish();
    await first.close();
    const second = await subject.claim();
    await serve(t, second);
    assert.deepEqual(await second.publish(), { replacedStale: false });
    assert.equal(await talkTo(second), "hello");
  });

  it("may be closed twice", async (t) => {
    const listener = await (await prepare(t)).claim();
    await listener.close();
    await listener.close();
  });

  it("may be closed while somebody listens, and before it was published", async (t) => {
    const subject = await prepare(t);
    const listener = await subject.claim();
    (await serve(t, listener)).close();
    await listener.close();
    await subject.claim();
  });
}

/** Listens on a claimed socket and answers `hello` to whoever connects. */
export async function serve(scope: Scope, listener: Listener): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => {}).end("hello"));
  server.listen(toListenTarget(listener.socket));
  await within(DEADLINE_MS, once(server, "listening"), `a server on ${listener.address}`);
  onEnd(scope, () => server.close());
  return server;
}

/** What reaches a listener that we may connect to. */
export function targetOf({ connectTarget, address }: Listener): ConnectTarget {
  if (connectTarget !== undefined) return connectTarget;
  throw new Error(`Nothing of ours connects to ${address}`);
}

/** Connects, through another address if one is given, and resolves with what is said or with the code of the refusal. */
export async function talkTo(
  listener: Listener,
  target: ConnectTarget = targetOf(listener),
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let said = "";
  const socket = connect(target);
  socket.on("data", (data) => (said += String(data)));
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  socket.on("close", () => resolve(said));
  return await within(DEADLINE_MS, promise, `an answer from ${listener.address}`);
}

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { eventually, within } from "../helpers/deadline.ts";
import { openDescriptors } from "../helpers/kernel.ts";
import { knockOften } from "../helpers/knock.ts";
import { portOf } from "../helpers/program.ts";
import { onEnd } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";

const DEADLINE_MS = 30_000;
const TIMEOUT = { timeout: 300_000 };
const INFO = 30;
const HALF_OPEN = 200;
const LIVEZ_WITHIN_MS = 50;
const FEWEST_SAMPLES = 20;

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Disturbed extends Serving {
  readonly ports: Readonly<Record<"ops" | "probe", Address>>;
  /** Descriptors of the supervisor before anybody came. */
  readonly descriptors: number;
  /** Another program, to which nobody comes. */
  readonly quiet: Serving;
}

async function serveWithPorts(t: TestContext): Promise<Disturbed> {
  const args = ["--probe", "127.0.0.1:0", "--log-level", "debug"];
  const service = await serveApp(t, "hello.mjs", { args });
  const { probe } = await service.program.ready();
  const at = (port: number): Address => ({ host: "127.0.0.1", port });
  const ports = { ops: at(service.opsPort), probe: at(portOf(String(probe))) };
  // What the first request leaves behind for good is not held against the others.
  assert.equal((await service.ops("/livez")).status, 200);
  const descriptors = (await openDescriptors(service.program.pid)).length;
  return { ...service, ports, descriptors, quiet: await serveApp(t, "hello.mjs") };
}

/** Resolves when the supervisor has no more descriptors than before; fails if anything was worth a line above debug. */
async function assertNoTrace({ program, descriptors }: Disturbed): Promise<void> {
  await eventually(
    DEADLINE_MS,
    async () => (await openDescriptors(program.pid)).length <= descriptors || undefined,
    `${descriptors} descriptors`,
  );
  const afterReady = program.lines.slice(program.lines.findIndex(({ msg }) => msg === "ready") + 1);
  const loud = afterReady.filter(
    ({ level = 0, msg }) => level >= INFO && msg !== "probe port open",
  );
  assert.deepEqual(loud, []);
}

/**
 * Asks /livez, one request after the other, until the noise is over. On a busy machine an answer waits
 * for its turn, and so does whoever asks: a program that nobody disturbs is asked as well, and shows
 * what that costs.
 */
async function askLivezDuring(
  { quiet, ...service }: Disturbed,
  noise: Promise<unknown>,
): Promise<void> {
  let isOver = false;
  const over = noise.finally(() => (isOver = true));
  const [times, otherTimes]: [number[], number[]] = [[], []];
  while (!isOver || times.length < FEWEST_SAMPLES) {
    times.push(await timeLivez(service));
    otherTimes.push(await timeLivez(quiet));
  }
  await over;
  const [ours, others] = [median(times), median(otherTimes)];
  const what = `median ${ours} ms of ${times.length}, undisturbed ${others} ms`;
  assert.ok(ours - others < LIVEZ_WITHIN_MS, what);
}

async function timeLivez(service: Serving): Promise<number> {
  const startMs = performance.now();
  assert.equal((await service.ops("/livez")).status, 200);
  return performance.now() - startMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Sends something, waits for what the program makes of it, and goes. */
function saying(bytes: string): (socket: Socket) => void {
  return (socket) => void socket.end(bytes, "latin1");
}

const TLS_HELLO = `\x16\x03\x01\0\xc4\x01\0\0\xc0\x03\x03${"\x5a".repeat(187)}`;

const BARE: Readonly<Record<string, (socket: Socket) => void>> = {
  FIN: (socket) => void socket.end(),
  RST: (socket) => void socket.resetAndDestroy(),
};

/** What is no request. */
const TALK: readonly (readonly [what: string, end: (socket: Socket) => void])[] = [
  ["a PROXY v1 header", saying("PROXY TCP4 10.0.0.1 10.0.0.2 1234 9464\r\n")],
  ["a PROXY v1 header and a request", saying("PROXY UNKNOWN\r\nGET /livez HTTP/1.1\r\n\r\n")],
  ["a PROXY v2 header", saying("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")],
  ["garbage", saying('\0\xff\xfe{"jsonrpc"\r\n\x1b[2J\n')],
  ["a TLS hello", saying(TLS_HELLO)],
  [
    "a TLS hello and RST",
    (socket) => void socket.write(TLS_HELLO, "latin1", () => socket.resetAndDestroy()),
  ],
];

describe("probes that only connect, at the ops endpoint and the probe port", TIMEOUT, () => {
  for (const [what, end] of Object.entries(BARE)) {
    it(`leave no trace and hold up no /livez: connect and ${what}, 1000 times each`, async (t) => {
      const service = await serveWithPorts(t);
      const { ops, probe } = service.ports;
      const noise = Promise.all([knockOften(ops, 1_000, end), knockOften(probe, 1_000, end)]);
      await askLivezDuring(service, noise);
      await assertNoTrace(service);
    });
  }

  it("leave no trace and hold up no /livez when they say what is no request", async (t) => {
    const service = await serveWithPorts(t);
    const { ops, probe } = service.ports;
    for (const [what, end] of TALK) {
      t.diagnostic(what);
      const noise = Promise.all([knockOften(ops, 200, end), knockOften(probe, 200, end)]);
      await askLivezDuring(service, noise);
      await assertNoTrace(service);
    }
  });

  for (const [what, bytes] of [
    ["say nothing", ""],
    ["never end what they say", "GET /livez HTTP/1.1\r\nX-Unfinished: "],
  ] as const) {
    it(`are let go after a while when they ${what}: ${HALF_OPEN} each`, async (t) => {
      const service = await serveWithPorts(t);
      const sockets = Object.values(service.ports).flatMap((port) =>
        Array.from({ length: HALF_OPEN }, () => {
          // What the other end closes stays open on our side.
          const socket = connect({ ...port, allowHalfOpen: true }).on("error", () => {});
          onEnd(t, () => socket.destroy());
          if (bytes !== "") socket.write(bytes);
          return socket.resume();
        }),
      );
      const connected = Promise.all(sockets.map((socket) => once(socket, "connect")));
      await within(DEADLINE_MS, connected, "the connections");
      // Connected is what the kernel's queue holds; the program takes them out one by one.
      const areHeld = async (): Promise<true | undefined> =>
        (await openDescriptors(service.program.pid)).length >= service.descriptors + HALF_OPEN ||
        undefined;
      await eventually(DEADLINE_MS, areHeld, "the connections to be accepted");
      await askLivezDuring(service, Promise.resolve());
      await assertNoTrace(service);
    });
  }
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { atOnce } from "../helpers/at-once.ts";
import { serveEveryEndpoint, type EveryEndpoint } from "../helpers/every-endpoint.ts";
import { FLAG, FRAME, headers, readFrames, type ReceivedFrame } from "../helpers/http2-frames.ts";
import { MALFORMED_HTTP2, type Ending, type MalformedSession } from "../helpers/malformed-http2.ts";
import { needs } from "../helpers/needs.ts";
import { talk, type Way } from "../helpers/talk.ts";
import {
  assertUnharmed,
  countDescriptors,
  descriptorsBack,
  leavesNothing,
  settled,
  tallyOf,
} from "../helpers/unharmed.ts";

const AT_ONCE = 100;
/** Of the stream that a healthy request is sent on, behind what is malformed. */
const LAST = 101;
const CASES = Object.entries(MALFORMED_HTTP2);
const QUICK = CASES.filter(([, { ending }]) => ending.kind !== "timeout");
const SLOW = CASES.filter(([, { ending }]) => ending.kind === "timeout");
const ENDED: ReadonlySet<Ending["kind"]> = new Set(["reset", "goaway", "cut"]);

type Case = readonly [name: string, malformed: MalformedSession];
type Sent = readonly [way: Way, malformed: Case];

function everywhere(ways: readonly Way[], cases: readonly Case[]): Sent[] {
  return ways.flatMap((way) => cases.map((each) => [way, each] as const));
}

function isLast({ type, stream, flags }: ReceivedFrame): boolean {
  return stream === LAST && type <= FRAME.HEADERS && (flags & FLAG.END_STREAM) !== 0;
}

async function say(way: Way, { bytes, ending }: MalformedSession): Promise<Buffer> {
  const pieces = ending.kind === "timeout" ? [bytes] : [Buffer.concat([bytes, headers(LAST)])];
  const isEnough = (received: Buffer): boolean => readFrames(received).some(isLast);
  return (await talk(way, { pieces, isEnough })).received;
}

/** What came of it, in the words of the table. */
function endingOf(received: Buffer): Ending {
  const frames = readFrames(received);
  const code = (type: number, at: number): number | undefined =>
    frames.findLast((each) => each.type === type && each.payload.length >= at + 4)?.payload.readUInt32BE(at);
  const goaway = code(FRAME.GOAWAY, 4);
  if (goaway !== undefined && goaway !== 0) return { kind: "goaway", code: goaway };
  if (!frames.some(isLast)) return { kind: "timeout" };
  const reset = code(FRAME.RST_STREAM, 0);
  if (reset !== undefined && reset !== 0) return { kind: "reset", code: reset };
  const isAnswered = frames.some(({ type, stream }) => type === FRAME.HEADERS && stream === 1);
  return { kind: isAnswered ? "answer" : "nothing" };
} // prettier-ignore

/** What came of each that is not what was expected. */
async function surprises(sent: readonly Sent[]): Promise<object[]> {
  const results = await atOnce(AT_ONCE, sent, async ([way, [name, malformed]]) => {
    const { ending: expected } = malformed;
    const ending = await say(way, malformed).then(endingOf);
    if (expected.kind === "cut" && (ending.kind === "timeout" || ending.kind === "goaway"))
      return [];
    return JSON.stringify(ending) === JSON.stringify(expected)
      ? []
      : [{ way: way.name, name, ending, expected }];
  });
  return results.flat();
}

/** Of our answers, and of what was reset before it came to be a request. */
function total(cases: readonly Case[], pick: (malformed: MalformedSession) => number): number {
  return cases.reduce((sum, [, malformed]) => sum + pick(malformed), 0);
}

function servesLast({ ending: { kind } }: MalformedSession): boolean {
  return kind === "reset" || kind === "answer" || kind === "nothing";
}

describe("malformed HTTP/2", { concurrency: true, ...needs("openssl", "perl") }, () => {
  it("ends its stream or its connection at every endpoint, is counted, and harms nobody", async (t) => {
    await sendAll(await serveEveryEndpoint(t, { alpn: "h2" }), QUICK);
  });

  it("ends when a timeout is over, where more could come", async (t) => {
    await sendAll(await serveEveryEndpoint(t, { alpn: "h2", timeouts: "short" }), SLOW);
  });

  async function sendAll(served: EveryEndpoint, cases: readonly Case[]): Promise<void> {
    await assertUnharmed(served);
    const descriptors = await countDescriptors(served);
    const healthy = tallyOf(await settled(served), "unix");
    assert.deepEqual(await surprises(everywhere(served.ways, cases)), []);
    const metrics = await settled(served);
    const requests = total(cases, (each) => (each.served ?? 0) + (servesLast(each) ? 1 : 0));
    const refused = total(cases, ({ refused: ours = 0 }) => ours);
    const ended = total(cases, ({ ending: { kind } }) => (ENDED.has(kind) ? 1 : 0));
    for (const { name } of served.ways) {
      const { accepted, closed, rejected, ...rest } = tallyOf(metrics, name);
      assert.deepEqual([accepted - healthy.accepted, closed], [cases.length, accepted], name);
      assert.deepEqual(rest, { open: 0, inFlight: 0, requests: healthy.requests + requests }, name);
      const sum = Object.values(rejected).reduce((all, each) => all + each, 0);
      // What HTTP/2 itself does not let pass may be counted, too.
      assert.ok(sum >= refused && sum <= refused + ended, `${name}: ${sum} for ${refused}`);
    }
    await assertUnharmed(served);
    await descriptorsBack(served, descriptors);
  }

  it("leaves nothing in memory", async (t) => {
    const served = await serveEveryEndpoint(t, { alpn: "h2" });
    await leavesNothing(served, QUICK.length * served.ways.length, async () => {
      assert.deepEqual(await surprises(everywhere(served.ways, QUICK)), []);
    });
  });

  it("is answered or cut by the ops endpoint, and cut by the probe port", async (t) => {
    const served = await serveEveryEndpoint(t, { alpn: "h2" });
    const descriptors = await countDescriptors(served);
    const received = await atOnce(
      2 * AT_ONCE,
      everywhere([served.opsWay, served.probeWay], CASES),
      async ([way, [, { bytes }]]) => [way.name, (await talk(way, { pieces: [bytes] })).received] as const,
    );
    const heard = received.filter(([, bytes]) => bytes.length > 0);
    assert.deepEqual(new Set(heard.map(([name]) => name)), new Set(["ops"]));
    for (const [, bytes] of heard) assert.match(bytes.toString("latin1"), /^HTTP\/1\.1 400 /);
    await assertUnharmed(served);
    await descriptorsBack(served, descriptors);
  }); // prettier-ignore
});

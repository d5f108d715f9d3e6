import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  BAD_REQUEST,
  EXPECTATION_FAILED,
  TUNNEL_REFUSED,
  WRONG_VERSION,
} from "../../src/http/refusal.ts";
import { atOnce } from "../helpers/at-once.ts";
import { serveEveryEndpoint, type EveryEndpoint } from "../helpers/every-endpoint.ts";
import { MALFORMED_HTTP1, type Malformed } from "../helpers/malformed-http1.ts";
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
const CASES = Object.entries(MALFORMED_HTTP1);
const QUICK = CASES.filter(([, { isSlow }]) => isSlow !== true);
const SLOW = CASES.filter(([, { isSlow }]) => isSlow === true);

type Case = readonly [name: string, malformed: Malformed];
type Sent = readonly [way: Way, malformed: Case];

function everywhere(ways: readonly Way[], cases: readonly Case[]): Sent[] {
  return ways.flatMap((way) => cases.map((each) => [way, each] as const));
}

async function statusesOf(way: Way, { bytes, ends }: Malformed): Promise<number[]> {
  const { received } = await talk(way, {
    pieces: [Buffer.from(bytes, "latin1")],
    then: ends === true ? "end" : "wait",
  });
  const text = received.toString("latin1");
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** What came of each that is not what was expected. */
async function surprises(sent: readonly Sent[]): Promise<object[]> {
  const results = await atOnce(AT_ONCE, sent, async ([way, [name, malformed]]) => {
    const { answers = [400] } = malformed;
    const statuses = await statusesOf(way, malformed).catch(String);
    return String(statuses) === String(answers) ? [] : [{ way: way.name, name, statuses, answers }];
  });
  return results.flat();
}

function refusalOf({
  refused,
  answers = [400],
  served: requests = 0,
}: Malformed): string | undefined {
  if (refused !== undefined || answers.length <= requests) return refused;
  const refusals = [BAD_REQUEST, EXPECTATION_FAILED, TUNNEL_REFUSED, WRONG_VERSION];
  return refusals.find(({ status }) => status === answers.at(-1))?.reason;
}

function expectedRefusals(cases: readonly Case[]): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const [, malformed] of cases) {
    const reason = refusalOf(malformed);
    if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return reasons;
} // prettier-ignore

describe("malformed HTTP/1.1", { concurrency: true, ...needs("openssl", "perl") }, () => {
  it("is refused at every endpoint, counted once, and harms nobody", async (t) => {
    await sendAll(await serveEveryEndpoint(t, { alpn: "http/1.1" }), QUICK);
  });

  it("is answered when a timeout is over, where more could come", async (t) => {
    await sendAll(await serveEveryEndpoint(t, { alpn: "http/1.1", timeouts: "short" }), SLOW);
  });

  async function sendAll(served: EveryEndpoint, cases: readonly Case[]): Promise<void> {
    await assertUnharmed(served);
    const descriptors = await countDescriptors(served);
    const healthy = tallyOf(await settled(served), "unix");
    assert.deepEqual(await surprises(everywhere(served.ways, cases)), []);
    const requests = cases.reduce((sum, [, { served: some = 0 }]) => sum + some, healthy.requests);
    const metrics = await settled(served);
    for (const { name } of served.ways) {
      const tally = tallyOf(metrics, name);
      const connections = healthy.accepted + cases.length;
      assert.deepEqual(tally, {
        accepted: connections,
        closed: connections,
        open: 0,
        inFlight: 0,
        requests,
        rejected: expectedRefusals(cases),
      }, name); // prettier-ignore
    }
    await assertUnharmed(served);
    await descriptorsBack(served, descriptors);
  }

  it("leaves nothing in memory", async (t) => {
    const served = await serveEveryEndpoint(t, { alpn: "http/1.1" });
    await leavesNothing(served, QUICK.length * served.ways.length, async () => {
      assert.deepEqual(await surprises(everywhere(served.ways, QUICK)), []);
    });
  });

  it("is answered or cut by the ops endpoint, and cut by the probe port", async (t) => {
    const served = await serveEveryEndpoint(t, { alpn: "http/1.1" });
    const descriptors = await countDescriptors(served);
    const toOps = everywhere([served.opsWay], CASES);
    const toProbe = everywhere([served.probeWay], CASES);
    const answers = await atOnce(2 * AT_ONCE, [...toOps, ...toProbe], async ([way, [, malformed]]) => ({
      way,
      statuses: await statusesOf(way, malformed),
    })); // prettier-ignore
    assert.equal(answers.length, 2 * CASES.length);
    const fromProbe = answers.filter(({ way }) => way === served.probeWay);
    assert.deepEqual(fromProbe.flatMap(({ statuses }) => statuses), []); // prettier-ignore
    await assertUnharmed(served);
    await descriptorsBack(served, descriptors);
  });
});

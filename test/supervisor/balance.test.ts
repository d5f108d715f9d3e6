import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planGates, type GatePlan, type WorkerLoad } from "../../src/supervisor/balance.ts";
import { seededRandom } from "../helpers/random.ts";

const SLACK = 2;

function load(connections: number, is: Partial<WorkerLoad> = {}): WorkerLoad {
  return { connections, isShut: false, isResponsive: true, isHeld: false, ...is };
}

type Gates = Pick<GatePlan<number>, "limit" | "reopen">;

function plan(loads: readonly WorkerLoad[], slack: number = SLACK): Gates {
  const { limit, reopen } = planGates(new Map(loads.entries()), slack);
  return { limit, reopen };
}

const SHUT = { isShut: true };
const HELD = { isHeld: true };
const STUCK = { isResponsive: false };

describe("planGates", () => {
  const cases: [name: string, loads: WorkerLoad[], expected: Gates][] = [
    ["nobody is not limited", [], { limit: Infinity, reopen: [] }],
    ["a single worker has no limit", [load(900)], { limit: Infinity, reopen: [] }],
    ["a single worker is let in again", [load(9, SHUT)], { limit: Infinity, reopen: [0] }],
    ["the limit is the average and the slack", [load(4), load(7)], { limit: 7, reopen: [] }],
    ["workers without a connection may take the slack", [load(0), load(0)], { limit: 2, reopen: [] }],
    ["one that is level again is let in", [load(6, SHUT), load(6)], { limit: 8, reopen: [0] }],
    ["one at the limit is not", [load(7, SHUT), load(4)], { limit: 7, reopen: [] }],
    ["one that is stuck does not count", [load(100, STUCK), load(4), load(6)], { limit: 7, reopen: [] }],
    ["beside one that is stuck a worker has no limit", [load(0, STUCK), load(50, SHUT)], { limit: Infinity, reopen: [1] }],
    ["one that is stuck is not let in", [load(0, { ...SHUT, ...STUCK }), load(5), load(5)], { limit: 7, reopen: [] }],
    ["one that is held is not let in, nor counted", [load(0, { ...SHUT, ...HELD }), load(5), load(5)], { limit: 7, reopen: [] }],
    ["one that is held is let in when nobody else answers", [load(9, { ...SHUT, ...HELD }), load(5, STUCK)], { limit: Infinity, reopen: [0] }],
    ["when all are stuck nobody is limited", [load(3, STUCK), load(5, STUCK)], { limit: Infinity, reopen: [] }],
  ]; // prettier-ignore
  for (const [name, loads, expected] of cases) {
    it(name, () => assert.deepEqual(plan(loads), expected));
  }

  it("counts no slack as 1 while all are level, for else they would all be shut", () => {
    assert.deepEqual(plan([load(5, SHUT), load(5, SHUT)], 0), { limit: 6, reopen: [0, 1] });
  });

  it("lets only those below the average in when there is no slack", () => {
    const loads = [load(9), load(8, SHUT), load(7, SHUT)];
    assert.deepEqual(plan(loads, 0), { limit: 8, reopen: [2] });
  });

  describe("for any loads", () => {
    const random = seededRandom(42);
    const below = (end: number): number => Math.floor(random() * end);
    const any = Array.from({ length: 2_000 }, () => ({
      slack: below(5),
      loads: Array.from({ length: 1 + below(12) }, () =>
        load(below(random() < 0.5 ? 5 : 500), {
          isShut: random() < 0.6,
          isResponsive: random() < 0.8,
          isHeld: random() < 0.2,
        }),
      ),
    }));

    function forAll(holds: (loads: readonly WorkerLoad[], slack: number) => boolean): void {
      for (const { loads, slack } of any) {
        assert.ok(holds(loads, slack), `slack ${slack}, ${JSON.stringify(loads)}`);
      }
    }

    const responsive = (loads: readonly WorkerLoad[]): WorkerLoad[] =>
      loads.filter(({ isResponsive }) => isResponsive);

    /** Those that count: workers that are held do not while others answer. */
    const counted = (loads: readonly WorkerLoad[]): WorkerLoad[] => {
      const free = responsive(loads).filter(({ isHeld }) => !isHeld);
      return free.length > 0 ? free : responsive(loads);
    };

    it("the least loaded that counts is below the limit", () =>
      forAll((loads, slack) => {
        const least = Math.min(...counted(loads).map(({ connections }) => connections));
        return counted(loads).length === 0 || least < plan(loads, slack).limit;
      }));

    it("not all that answer are left shut", () =>
      forAll((loads, slack) => {
        const { reopen } = plan(loads, slack);
        const accepts = (one: WorkerLoad, id: number): boolean =>
          !one.isShut || reopen.includes(id);
        const isAttended = loads.some(
          (one, id) => counted(loads).includes(one) && accepts(one, id),
        );
        return responsive(loads).length === 0 || isAttended;
      }));

    it("the limit is no more than the slack above the average", () =>
      forAll((loads, slack) => {
        const those = counted(loads);
        const average = those.reduce((sum, one) => sum + one.connections, 0) / those.length;
        return those.length < 2 || plan(loads, slack).limit <= average + Math.max(slack, 1);
      }));

    it("only those are let in that are shut, answer and are below the limit", () =>
      forAll((loads, slack) => {
        const { limit, reopen } = plan(loads, slack);
        return reopen.every((id) => {
          const one = loads[id];
          return one !== undefined && one.isShut && one.isResponsive && one.connections < limit;
        });
      }));
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planMoves, planRelief } from "../../src/supervisor/rebalance.ts";
import { seededRandom } from "../helpers/random.ts";

const random = seededRandom(7);
const below = (end: number): number => Math.floor(random() * end);

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, value) => total + value, 0);
}

function moves(...connections: readonly number[]): number[] {
  const plan = planMoves(new Map(connections.entries()));
  return connections.map((_, id) => plan.get(id) ?? 0);
}

describe("planMoves", () => {
  const cases: [name: string, connections: number[], expected: number[]][] = [
    ["nobody gives when there is one worker", [90], [0]],
    ["level workers keep what they have", [8, 8, 8, 8], [0, 0, 0, 0]],
    ["what cannot be shared any better stays", [8, 7, 7, 7], [0, 0, 0, 0]],
    ["one above is worth a move when shares are small", [9, 7, 8, 8], [1, 0, 0, 0]],
    ["a tenth above is even enough", [275, 240, 235, 250], [0, 0, 0, 0]],
    ["a newcomer gets its share from all", [8, 8, 8, 8, 0], [2, 2, 2, 0, 0]],
    ["a quarter is the most at once", [64, 0], [16, 0]],
    ["and 64 connections", [2_000, 0], [64, 0]],
  ]; // prettier-ignore
  for (const [name, connections, expected] of cases)
    it(name, () => assert.deepEqual(moves(...connections), expected));

  const any = Array.from({ length: 2_000 }, () => {
    const size = random() < 0.5 ? 12 : 600;
    return Array.from({ length: 1 + below(12) }, () => below(size));
  });

  it("takes none from a worker that is not above the average, and none below it", () => {
    for (const connections of any) {
      const average = sum(connections) / connections.length;
      for (const [id, given] of moves(...connections).entries()) {
        const count = connections[id] ?? 0;
        assert.ok(given === 0 || count > average, JSON.stringify(connections));
        assert.ok(given === 0 || count - given >= Math.floor(average), JSON.stringify(connections));
        assert.ok(given <= Math.min(Math.ceil(count / 4), 64), JSON.stringify(connections));
      }
    }
  });

  it("comes to an end within a few rounds when those below get what is given", () => {
    for (const start of any.filter(({ length }) => length > 1)) {
      const connections = [...start];
      let rounds = 0;
      for (let plan = moves(...connections); sum(plan) > 0; plan = moves(...connections)) {
        for (const [id, given] of plan.entries()) connections[id] = (connections[id] ?? 0) - given;
        for (let given = sum(plan); given > 0; given -= 1) {
          const least = connections.indexOf(Math.min(...connections));
          connections[least] = (connections[least] ?? 0) + 1;
        }
        rounds += 1;
        assert.ok(rounds <= 25, JSON.stringify(start));
      }
      const fair = sum(connections) / connections.length;
      assert.ok(Math.max(...connections) <= Math.max(Math.ceil(fair), 1.1 * fair));
    }
  });
});

describe("planRelief", () => {
  const relief = (...loads: readonly number[]): number[] => {
    const plan = planRelief(new Map(loads.entries()));
    return loads.map((_, id) => Number((plan.get(id) ?? 0).toFixed(2)));
  };
  const cases: [name: string, loads: number[], expected: number[]][] = [
    ["nobody is relieved when there is one worker", [9], [0]],
    ["equally busy workers keep what they have", [4, 4, 4, 4], [0, 0, 0, 0]],
    ["small differences are not worth a connection", [1.2, 1, 1, 1], [0, 0, 0, 0]],
    ["nor are large ones between workers that have little to do", [0.4, 0, 0, 0], [0, 0, 0, 0]],
    ["one that does most gives no more than leads halfway to the idlest", [4, 0, 0, 0], [0.5, 0, 0, 0]],
    ["one above gives what is above", [4, 2, 1, 1], [0.38, 0, 0, 0]],
    ["several may give", [4, 4, 0, 0], [0.5, 0.5, 0, 0]],
  ]; // prettier-ignore
  for (const [name, loads, expected] of cases)
    it(name, () => assert.deepEqual(relief(...loads), expected));

  it("never takes from one that is not above the average, nor more than halfway to the least", () => {
    for (let game = 0; game < 2_000; game += 1) {
      const loads = Array.from({ length: 1 + below(8) }, () => random() * 8);
      const average = sum(loads) / loads.length;
      for (const [id, share] of planRelief(new Map(loads.entries()))) {
        const load = loads[id] ?? 0;
        assert.ok(load > average && load * (1 - share) >= average - 1e-9);
        assert.ok(share > 0 && load * share <= (load - Math.min(...loads)) / 2 + 1e-9);
      }
    }
  });
});

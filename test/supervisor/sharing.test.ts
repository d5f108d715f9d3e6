import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BalanceMode } from "../../src/config/config.ts";
import type { ShedOrder } from "../../src/protocol.ts";
import { Sharing } from "../../src/supervisor/sharing.ts";
import { FakeClock } from "../helpers/fake-clock.ts";

const FIRST_ORDER_MS = 500;
const REPORT_MS = 1_000;

/** A worker that remembers what it was told, and whose event loop the test turns. */
class FakeWorker {
  orders: ShedOrder[] = [];
  isShut = false;
  connections = 0;
  #limit = Number.POSITIVE_INFINITY;
  loop = { activeMs: 0, idleMs: 0, iterations: 0, events: 0 };

  onAsked = (): void => {};

  askLoad(): void {
    this.onAsked();
  }
  limit(_endpoint: string, limit: number): void {
    this.#limit = limit;
    this.isShut ||= this.connections >= limit;
  }
  reopen(_endpoint: string, limit: number): void {
    this.#limit = limit;
    this.isShut = false;
  }
  /** Has so many connections from now on, as its gate would tell. */
  have(connections: number): void {
    if (connections > this.connections) this.isShut ||= connections >= this.#limit;
    this.connections = connections;
  }
  shed(_endpoint: string, order: ShedOrder): void {
    this.orders.push(order);
  }

  /** Lets a second pass with so much work at a time. */
  turn(load: number): void {
    const { activeMs, idleMs, iterations, events } = this.loop;
    this.loop = {
      activeMs: activeMs + 1_000 * Math.min(load, 1),
      idleMs: idleMs + 1_000 * (1 - Math.min(load, 1)),
      iterations: iterations + 100,
      events: events + 100 * Math.max(load, 1),
    };
  }
}

interface Setup {
  readonly clock: FakeClock;
  readonly sharing: Sharing<FakeWorker>;
  readonly workers: readonly FakeWorker[];
  /** Workers report how many connections they have. */
  readonly have: (...connections: readonly number[]) => void;
  /** Seconds pass in which the workers are so loaded; undefined is one that says nothing. */
  readonly work: (seconds: number, ...loads: readonly (number | undefined)[]) => void;
  /** Connections that each worker was ordered to let go of. */
  readonly ordered: () => number[][];
}

function setUp(mode: BalanceMode, count: number): Setup {
  const clock = new FakeClock();
  const sharing = new Sharing<FakeWorker>({ mode, endpoints: ["app"], clock });
  const workers = Array.from({ length: count }, () => new FakeWorker());
  const tell = (worker: FakeWorker): void => {
    const { connections, isShut } = worker;
    sharing.note(worker, { type: "load", endpoint: "app", connections, isShut });
  };
  for (const worker of workers) {
    worker.onAsked = () => tell(worker);
    sharing.join(worker);
  }
  return {
    clock,
    sharing,
    workers,
    have(...connections: readonly number[]): void {
      for (const [index, worker] of workers.entries()) {
        worker.have(connections[index] ?? 0);
      }
      for (const worker of workers) tell(worker);
    },
    work(seconds: number, ...loads: readonly (number | undefined)[]): void {
      for (let second = 0; second < seconds; second += 1) {
        clock.advance(REPORT_MS);
        for (const [index, worker] of workers.entries()) {
          const load = loads[index];
          if (load === undefined) continue;
          worker.turn(load);
          sharing.noteLoop(worker, worker.loop);
        }
      }
    },
    ordered: () => workers.map(({ orders }) => orders.map(({ connections }) => connections)),
  };
}

describe("Sharing", () => {
  it("moves connections that stay uneven, and lets only those with fewer accept meanwhile", () => {
    const { have, clock, ordered, workers } = setUp("connections", 2);
    const shut = (): boolean[] => workers.map(({ isShut }) => isShut);
    have(12, 4);
    assert.deepEqual(ordered(), [[], []]);
    clock.advance(FIRST_ORDER_MS);
    assert.deepEqual(ordered(), [[3], []]);
    assert.deepEqual(workers[0]?.orders, [{ connections: 3, share: 1 }]);
    have(9, 7);
    assert.deepEqual(shut(), [true, false], "within the slack, and yet above the average");
    clock.advance(1_000);
    assert.deepEqual(ordered(), [[3, 1], []]);
    have(8, 8);
    clock.advance(1_000);
    assert.deepEqual(ordered(), [[3, 1], []]);
    assert.deepEqual(shut(), [false, false]);
    assert.equal(clock.pending, 0, "nothing is looked at while counts are even");
  });

  it("moves none when counts merely fluctuate", () => {
    const { have, clock, ordered } = setUp("connections", 2);
    for (let round = 0; round < 100; round += 1) {
      have(...(round % 2 === 0 ? [12, 4] : [4, 12]));
      clock.advance(100);
    }
    assert.deepEqual(ordered(), [[], []]);
  });

  it("orders less and less often what does not come about", () => {
    const { have, clock, ordered } = setUp("connections", 2);
    have(12, 4);
    clock.advance(60_000);
    const count = ordered()[0]?.length ?? 0;
    assert.ok(count > 2 && count < 10, `${count} orders in a minute`);
  });

  it("moves nothing of a worker that is alone, or has left", () => {
    const { have, clock, ordered, sharing, workers } = setUp("connections", 2);
    have(12, 4);
    const [, other] = workers;
    assert.ok(other);
    sharing.leave(other);
    clock.advance(10_000);
    assert.deepEqual(ordered(), [[], []]);
  });

  for (const mode of ["off", "accept"] as const) {
    it(`moves nothing with ${mode}`, () => {
      const { have, clock, work, ordered } = setUp(mode, 2);
      have(12, 4);
      clock.advance(10_000);
      work(10, 5, 0);
      assert.deepEqual(ordered(), [[], []]);
    });
  }

  it("does not care for loads with connections", () => {
    const { have, work, ordered } = setUp("connections", 2);
    have(8, 8);
    work(10, 5, 0);
    assert.deepEqual(ordered(), [[], []]);
  });

  describe("by load", () => {
    it("relieves a worker that is busier than the others in two windows of three seconds", () => {
      const { have, work, workers } = setUp("load", 3);
      have(8, 8, 8);
      work(7, 4, 1, 1);
      assert.deepEqual(workers[0]?.orders, []);
      work(1, 4, 1, 1);
      assert.deepEqual(
        workers.map(({ orders }) => orders),
        [[{ connections: 4, share: 0.375 }], [], []],
      );
    });

    it("leaves those alone that are busy for a moment, one after the other", () => {
      const { have, work, ordered } = setUp("load", 3);
      have(8, 8, 8);
      for (let round = 0; round < 10; round += 1) {
        work(1, 4, 1, 1);
        work(3, 1, 1, 1);
        work(1, 1, 4, 1);
        work(3, 1, 1, 1);
      }
      assert.deepEqual(ordered(), [[], [], []]);
    });

    it("lets it take none meanwhile", () => {
      const { have, work, workers, clock } = setUp("load", 3);
      have(8, 8, 8);
      work(8, 4, 1, 1);
      const shut = (): boolean[] => workers.map(({ isShut }) => isShut);
      assert.deepEqual(shut(), [true, false, false]);
      have(8, 8, 8);
      assert.deepEqual(shut(), [true, false, false]);
      clock.advance(2_000);
      assert.deepEqual(shut(), [false, false, false]);
    });

    it("measures anew before it acts again", () => {
      const { have, work, ordered } = setUp("load", 2);
      have(8, 8);
      work(22, 4, 1);
      const count = ordered()[0]?.length ?? 0;
      assert.ok(count === 2 || count === 3, `${count} orders`);
    });

    it("leaves workers alone that are equally busy", () => {
      const { have, work, ordered } = setUp("load", 2);
      have(8, 8);
      for (let second = 0; second < 60; second += 1)
        work(1, ...(second % 2 === 0 ? [5, 4] : [4, 5]));
      assert.deepEqual(ordered(), [[], []]);
    });

    it("leaves one out that says nothing", () => {
      const { have, work, ordered } = setUp("load", 3);
      have(8, 8, 8);
      work(4, 2, 2, 2);
      work(10, 2, 2, undefined);
      assert.deepEqual(ordered(), [[], [], []]);
    });

    it("orders nothing once everything is about to end", () => {
      const { have, work, ordered, sharing, clock } = setUp("load", 2);
      have(12, 4);
      sharing.stopMoving();
      clock.advance(10_000);
      work(10, 4, 0);
      assert.deepEqual(ordered(), [[], []]);
    });
  });
});

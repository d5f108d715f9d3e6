import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Balancer } from "../../src/supervisor/balancer.ts";
import { FakeClock } from "../helpers/fake-clock.ts";
import { seededRandom } from "../helpers/random.ts";

const WATCH_INTERVAL_MS = 100;
const SLACK = 2;

type Told = "askLoad" | `limit ${string}` | `reopen ${string}`;

/** A worker that remembers what it was told. */
class FakeGatedWorker {
  #told: Told[] = [];

  askLoad(): void {
    this.#told.push("askLoad");
  }

  limit(endpoint: string, limit: number): void {
    this.#told.push(`limit ${endpoint} ${limit}`);
  }

  reopen(endpoint: string, limit: number): void {
    this.#told.push(`reopen ${endpoint} ${limit}`);
  }

  /** What it was told since it was asked last. */
  take(): Told[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }
}

interface Setup {
  readonly balancer: Balancer<FakeGatedWorker>;
  readonly workers: readonly FakeGatedWorker[];
  readonly clock: FakeClock;
  /** Reports for a worker. */
  readonly note: (
    index: number,
    connections: number,
    is?: { readonly shut: boolean; readonly endpoint?: string },
  ) => void;
  /** What each worker was told since the last call. */
  readonly told: () => Told[][];
}

/** So many workers have joined, and forgotten what they were told then. */
function joined(count: number, endpoints: readonly string[] = ["app"]): Setup {
  const clock = new FakeClock();
  const balancer = new Balancer<FakeGatedWorker>({ endpoints, slack: SLACK, clock });
  const workers = Array.from({ length: count }, () => new FakeGatedWorker());
  for (const worker of workers) balancer.join(worker);
  for (const worker of workers) worker.take();
  return {
    balancer,
    workers,
    clock,
    note(index, connections, { shut: isShut, endpoint = "app" } = { shut: false }) {
      const worker = workers[index];
      assert.ok(worker);
      balancer.note(worker, { type: "load", endpoint, connections, isShut });
    },
    told: () => workers.map((worker) => worker.take()),
  };
}

describe("Balancer", () => {
  it("tells nothing to a worker that is alone", () => {
    const clock = new FakeClock();
    const balancer = new Balancer<FakeGatedWorker>({ endpoints: ["app"], slack: SLACK, clock });
    const worker = new FakeGatedWorker();
    balancer.join(worker);
    balancer.note(worker, { type: "load", endpoint: "app", connections: 70, isShut: false });
    assert.deepEqual(worker.take(), []);
  });

  it("limits everybody when a second one joins", () => {
    const clock = new FakeClock();
    const balancer = new Balancer<FakeGatedWorker>({ endpoints: ["app"], slack: SLACK, clock });
    const [first, second] = [new FakeGatedWorker(), new FakeGatedWorker()];
    balancer.join(first);
    balancer.note(first, { type: "load", endpoint: "app", connections: 10, isShut: false });
    balancer.join(second);
    assert.deepEqual([first.take(), second.take()], [["limit app 7"], ["limit app 7"]]);
  });

  it("opens a gate again when its worker is level", () => {
    const { note, told } = joined(2);
    note(0, 4, { shut: true });
    assert.deepEqual(told(), [[], []], "2 on average: 4 is the limit");
    note(1, 2);
    assert.deepEqual(told(), [["reopen app 5"], []]);
  });

  it("lets one that is held accept for good when nobody else is left", () => {
    const { balancer, workers, note, told } = joined(2);
    const [held, free] = workers;
    assert.ok(held && free);
    note(0, 3);
    note(1, 1);
    balancer.hold(new Set([held]));
    assert.ok(told()[0]?.includes("limit app 0"));
    note(0, 3, { shut: true });
    balancer.leave(free);
    assert.deepEqual(told()[0], ["reopen app Infinity"]);
    note(0, 4);
    assert.deepEqual(told()[0], [], "and is not shut again");
  });

  it("opens a gate once for one report", () => {
    const { note, told } = joined(2);
    note(0, 4, { shut: true });
    note(1, 4);
    assert.deepEqual(told(), [["reopen app 6"], []]);
    note(1, 5);
    note(0, 5);
    assert.deepEqual(told(), [[], []]);
  });

  it("tells nothing while counts are level", () => {
    const { note, told, clock } = joined(4);
    const random = seededRandom(3);
    for (let round = 0; round < 500; round += 1) {
      note(Math.floor(random() * 4), 20 + Math.floor(random() * 2));
      // Counts were 0 when they joined.
      if (round < 20) told();
    }
    assert.deepEqual(told(), [[], [], [], []]);
    assert.equal(clock.pending, 0);
  });

  it("tells a lower limit once it is lower by the slack", () => {
    const { note, told } = joined(2);
    note(0, 4, { shut: true });
    note(1, 20);
    assert.deepEqual(
      told(),
      [["reopen app 14"], []],
      "a higher one is told when the old one is reached",
    );
    note(1, 18);
    assert.deepEqual(told(), [[], []], "13 is lower by 1");
    note(1, 16);
    assert.deepEqual(told(), [["limit app 12"], []]);
    note(1, 14);
    assert.deepEqual(told(), [[], []]);
    note(1, 12);
    assert.deepEqual(told(), [["limit app 10"], []]);
  });

  it("keeps endpoints apart", () => {
    const { note, told } = joined(2, ["app", "admin"]);
    note(0, 50, { shut: true, endpoint: "admin" });
    note(1, 50);
    assert.deepEqual(told(), [[], []]);
    note(1, 50, { shut: false, endpoint: "admin" });
    assert.deepEqual(told(), [["reopen admin 52"], []]);
  });

  describe("while a gate is shut", () => {
    it("asks the open workers whether they still answer, and no longer", () => {
      const { note, told, clock } = joined(3);
      clock.advance(10 * WATCH_INTERVAL_MS);
      assert.deepEqual(told(), [[], [], []], "all are open");
      note(0, 3, { shut: true });
      clock.advance(WATCH_INTERVAL_MS);
      assert.deepEqual(told(), [[], ["askLoad"], ["askLoad"]]);
      clock.advance(WATCH_INTERVAL_MS / 2);
      assert.deepEqual(told(), [[], [], []]);
      note(1, 3);
      assert.deepEqual(told(), [["reopen app 4"], [], []]);
      assert.equal(clock.pending, 0, "nobody is watched any more");
    });

    it("leaves a worker out that does not answer within two intervals", () => {
      const { note, told, clock } = joined(2);
      note(0, 4, { shut: true });
      clock.advance(WATCH_INTERVAL_MS);
      assert.deepEqual(told(), [[], ["askLoad"]]);
      note(0, 4, { shut: true });
      assert.deepEqual(told(), [[], []], "the other may still answer");
      clock.advance(WATCH_INTERVAL_MS);
      assert.equal(told()[0]?.[0], "reopen app Infinity");
    });

    it("counts it in again when it answers", () => {
      const { note, told, clock } = joined(2);
      note(0, 4, { shut: true });
      clock.advance(WATCH_INTERVAL_MS);
      note(0, 4, { shut: true });
      clock.advance(WATCH_INTERVAL_MS);
      note(0, 9);
      told();
      note(1, 0);
      assert.deepEqual(told(), [["limit app 6"], []]);
    });

    it("keeps those that answer in time", () => {
      const { note, told, clock } = joined(2);
      note(0, 4, { shut: true });
      for (let interval = 0; interval < 20; interval += 1) {
        clock.advance(WATCH_INTERVAL_MS);
        note(0, 4, { shut: true });
        note(1, 0);
      }
      assert.deepEqual(new Set(told().flat()), new Set(["askLoad"]));
    });
  });

  describe("when a worker leaves", () => {
    it("lets the last one in, without a limit", () => {
      const { balancer, workers, note, told } = joined(2);
      note(0, 4, { shut: true });
      const [, other] = workers;
      assert.ok(other);
      balancer.leave(other);
      assert.deepEqual(told(), [["reopen app Infinity"], []]);
    });

    it("lets those in that are level without it", () => {
      const { balancer, workers, note, told } = joined(3);
      note(0, 8, { shut: true });
      note(1, 8);
      told();
      const [, , idle] = workers;
      assert.ok(idle);
      balancer.leave(idle);
      assert.deepEqual(told()[0], ["reopen app 10"]);
    });

    it("hears no more of it", () => {
      const { balancer, workers, note, told, clock } = joined(2);
      for (const worker of workers) balancer.leave(worker);
      note(0, 50, { shut: true });
      clock.advance(10 * WATCH_INTERVAL_MS);
      assert.deepEqual(told(), [[], []]);
      assert.equal(clock.pending, 0);
    });
  });

  it("watches nobody once it is stopped", () => {
    const { balancer, note, told, clock } = joined(2);
    note(0, 4, { shut: true });
    balancer.stop();
    clock.advance(10 * WATCH_INTERVAL_MS);
    assert.deepEqual(told(), [[], []]);
  });

  it("never leaves the queue unattended, whatever is reported", () => {
    const random = seededRandom(11);
    const below = (end: number): number => Math.floor(random() * end);
    for (let game = 0; game < 50; game += 1) {
      const count = 2 + below(5);
      const { balancer, workers, clock, note } = joined(count);
      // As real workers do: a gate shuts at its limit, and opens when that is told.
      const real = workers.map(() => ({ connections: 0, isShut: false, limit: SLACK, isIn: true }));
      const obey = (): void => {
        for (const [index, worker] of workers.entries()) {
          for (const told of worker.take()) {
            const [what, , limit] = told.split(" ");
            const one = real[index];
            if (one === undefined || limit === undefined) continue;
            one.limit = Number(limit);
            if (what === "reopen") one.isShut = false;
          }
        }
      };
      for (let step = 0; step < 300; step += 1) {
        const index = below(count);
        const [one, worker] = [real[index], workers[index]];
        if (one === undefined || worker === undefined || !one.isIn) continue;
        if (random() < 0.01 && real.filter(({ isIn }) => isIn).length > 1) {
          one.isIn = false;
          balancer.leave(worker);
        } else if (random() < 0.6 && !one.isShut) {
          one.connections += 1;
          one.isShut = one.connections >= one.limit;
        } else if (one.connections > 0) {
          one.connections -= 1;
        }
        if (one.isIn) note(index, one.connections, { shut: one.isShut });
        obey();
        if (random() < 0.1) clock.advance(WATCH_INTERVAL_MS / 2);
        assert.ok(
          real.some(({ isIn, isShut }) => isIn && !isShut),
          `game ${game}, step ${step}: ${JSON.stringify(real)}`,
        );
        for (const [each, { isIn, connections, isShut }] of real.entries())
          if (isIn && random() < 0.5) note(each, connections, { shut: isShut });
        obey();
      }
    }
  });
});

import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { Shedder } from "../../src/worker/shedder.ts";

const SAMPLE_MS = 300;
const CHOICE_LASTS_MS = 1_000;

interface Setup {
  readonly shedder: Shedder;
  /** What the engine was told, each time. */
  readonly told: Socket[][];
  readonly pass: (ms: number) => void;
}

function setUp(t: TestContext): Setup {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: Socket[][] = [];
  const shedder = new Shedder({ shed: (sockets) => void told.push([...sockets]) });
  return { shedder, told, pass: (ms) => t.mock.timers.tick(ms) };
}

describe("Shedder", () => {
  it("chooses among connections that answered in the sample, and takes it back later", (t) => {
    const { shedder, told, pass } = setUp(t);
    const [early, used] = [new Socket(), new Socket()];
    shedder.count(early);
    shedder.shed({ connections: 2, share: 1 });
    shedder.count(used);
    pass(SAMPLE_MS);
    assert.deepEqual(told, [[used]]);
    pass(CHOICE_LASTS_MS);
    assert.deepEqual(told, [[used], []]);
  });

  it("chooses none that has closed", (t) => {
    const { shedder, told, pass } = setUp(t);
    const gone = new Socket();
    shedder.shed({ connections: 2, share: 1 });
    shedder.count(gone);
    gone.destroy();
    pass(SAMPLE_MS);
    assert.deepEqual(told, [[]]);
  });

  it("carries out the last order", (t) => {
    const { shedder, told, pass } = setUp(t);
    shedder.shed({ connections: 5, share: 1 });
    shedder.shed({ connections: 1, share: 1 });
    for (let index = 0; index < 5; index += 1) shedder.count(new Socket());
    pass(SAMPLE_MS);
    assert.deepEqual(
      told.map(({ length }) => length),
      [1],
    );
  });

  it("chooses none once it is stopped", (t) => {
    const { shedder, told, pass } = setUp(t);
    shedder.shed({ connections: 1, share: 1 });
    shedder.count(new Socket());
    shedder.stop();
    pass(SAMPLE_MS + CHOICE_LASTS_MS);
    assert.deepEqual(told, []);
  });
});

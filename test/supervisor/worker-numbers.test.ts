import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EndpointCounters } from "../../src/counters.ts";
import type { WorkerSnapshot } from "../../src/protocol.ts";
import { addUpCounts } from "../../src/supervisor/add-up-counts.ts";
import { WorkerNumbers } from "../../src/supervisor/worker-numbers.ts";
import { workerSnapshot } from "../helpers/fake-workers.ts";

function accepted(snapshot: WorkerSnapshot | undefined): number {
  return addUpCounts(snapshot, (counters) => counters.accepted);
}

/** A worker that writes its counts to memory. */
class WritingWorker {
  readonly written = new EndpointCounters();
  isOpen = true;
  readonly numbers: WorkerNumbers;

  constructor() {
    const [endpoint = ""] = Object.keys(workerSnapshot().counters);
    const page = {
      read: () => {
        assert.ok(this.isOpen, "memory that was let go of is not read");
        return { [endpoint]: this.written.copy().slots };
      },
      close: () => (this.isOpen = false),
    };
    this.numbers = new WorkerNumbers({ counters: { page, descriptor: 3 } });
  }
}

describe("WorkerNumbers", () => {
  it("knows nothing before the first report", () => {
    const { numbers } = new WritingWorker();
    assert.deepEqual([numbers.reported, numbers.read()], [undefined, undefined]);
  });

  it("reads what was written since the last report", () => {
    const { numbers, written } = new WritingWorker();
    numbers.note(workerSnapshot());
    written.countAccepted();
    assert.deepEqual([accepted(numbers.reported), accepted(numbers.read())], [0, 1]);
  });

  it("keeps the last that was written when it lets go of the memory", () => {
    const worker = new WritingWorker();
    worker.numbers.note(workerSnapshot());
    worker.written.countAccepted();
    worker.numbers.close();
    assert.equal(worker.isOpen, false);
    assert.equal(accepted(worker.numbers.read()), 1);
  });

  it("matches answers with questions, and leaves none open at the end", async () => {
    const { numbers } = new WritingWorker();
    const answers: number[] = [];
    const [first, second] = [numbers.ask(), numbers.ask()];
    const done = [first, second].map(({ id, answered }) => answered.then(() => answers.push(id)));
    numbers.note(workerSnapshot());
    await Promise.resolve();
    assert.deepEqual(answers, [], "nobody asked for that one");
    numbers.note(workerSnapshot(), second.id);
    await done[1];
    assert.deepEqual(answers, [second.id]);
    numbers.close();
    await Promise.all(done);
    assert.deepEqual(answers, [second.id, first.id]);
  });
});

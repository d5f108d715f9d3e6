import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseConnections } from "../../src/worker/shed-choice.ts";
import { seededRandom } from "../helpers/random.ts";

function choose(answers: Record<string, number>, connections: number, share: number): string[] {
  return chooseConnections(new Map(Object.entries(answers)), { connections, share });
}

describe("chooseConnections", () => {
  it("takes a cross-section when the number is what counts", () => {
    const answers = { a: 9, b: 8, c: 7, d: 6, e: 5, f: 4, g: 3, h: 2 };
    assert.deepEqual(choose(answers, 2, 1), ["c", "g"]);
    assert.deepEqual(choose(answers, 8, 1), Object.keys(answers));
  });

  it("takes what there is, at most once", () => {
    assert.deepEqual(choose({ a: 1 }, 5, 1), ["a"]);
    assert.deepEqual(choose({}, 5, 1), []);
    assert.deepEqual(choose({}, 5, 0.5), []);
  });

  it("leaves one that carries most where it is, and takes medium ones", () => {
    assert.deepEqual(choose({ giant: 70, a: 10, b: 10, c: 9, d: 1 }, 4, 0.25), ["a", "b"]);
  });

  it("takes the busiest that fit", () => {
    assert.deepEqual(choose({ a: 25, b: 25, c: 25, d: 25 }, 4, 0.5), ["a", "b"]);
  });

  it("takes none that carry next to nothing", () => {
    assert.deepEqual(choose({ giant: 95, a: 2, b: 2, c: 1 }, 4, 0.4), []);
  });

  it("never takes more than was ordered", () => {
    const random = seededRandom(5);
    for (let game = 0; game < 1_000; game += 1) {
      const answers = new Map(
        Array.from({ length: Math.floor(random() * 30) }, (_, id) => [
          id,
          Math.ceil(random() * 50),
        ]),
      );
      const order = { connections: 1 + Math.floor(random() * 8), share: random() };
      const chosen = chooseConnections(answers, order);
      const carried = chosen.reduce((sum, id) => sum + (answers.get(id) ?? 0), 0);
      const total = [...answers.values()].reduce((sum, count) => sum + count, 0);
      assert.ok(new Set(chosen).size === chosen.length && chosen.length <= order.connections);
      assert.ok(carried <= order.share * total);
    }
  });
});

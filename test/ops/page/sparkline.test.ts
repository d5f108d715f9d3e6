import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { areaPath, linePath, topOf } from "../../../src/ops/page/sparkline.ts";

const box = { width: 100, height: 21.5, top: 10 };

describe("linePath", () => {
  it("goes from the bottom at 0 to the top", () => {
    const points = [
      { at: 0, value: 0 },
      { at: 0.5, value: 5 },
      { at: 1, value: 10 },
    ];
    assert.equal(linePath(points, box), "M0,20.75L50,10.75L100,0.75");
  });

  it("begins anew after a gap, and draws a lone point", () => {
    const points = [
      { at: 0, value: 10 },
      { at: 0.1, value: 10 },
      { at: 0.2, value: undefined },
      { at: 0.3, value: 0 },
    ];
    assert.equal(linePath(points, box), "M0,0.75L10,0.75M30,20.75L30,20.75");
  });

  it("stays in its box", () => {
    const points = [
      { at: 0, value: -1 },
      { at: 1, value: 11 },
    ];
    assert.equal(linePath(points, box), "M0,20.75L100,0.75");
    assert.equal(linePath([], box), "");
    assert.equal(linePath([{ at: 0, value: 0 }], { ...box, top: 0 }), "M0,20.75L0,20.75");
  });
});

describe("areaPath", () => {
  it("closes each run at the bottom", () => {
    const points = [
      { at: 0, value: 10 },
      { at: 1, value: 0 },
    ];
    assert.equal(areaPath(points, box), "M0,21.5L0,0.75L100,20.75L100,21.5Z");
  });
});

describe("topOf", () => {
  for (const [value, expected] of [
    [0, 1],
    [1, 1],
    [1.1, 2],
    [4, 5],
    [51, 100],
    [100, 100],
    [Number.NaN, 1],
  ] as const) {
    it(`is ${expected} for ${value}`, () => assert.equal(topOf(value, 1), expected));
  }

  it("may be below 1", () => assert.equal(topOf(0.03, 0.01), 0.05));
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as format from "../../../src/ops/page/format.ts";

/** With the narrow spaces made ordinary ones. */
const plain = (text: string): string => text.replaceAll(/[\u202f\u00a0]/g, " ");

const CASES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  formatCount: [
    [format.formatCount(1_234_567), "1,234,567"],
    [format.formatCount(undefined), "–"],
  ],
  formatRate: [
    [format.formatRate(0), "0"],
    [format.formatRate(0.01), "< 0.1"],
    [format.formatRate(12.34), "12.3"],
    [format.formatRate(1234.5), "1,235"],
    [format.formatRate(undefined), "–"],
  ],
  formatLatency: [
    [format.formatLatency(0), "0 ms"],
    [format.formatLatency(0.00123), "1.2 ms"],
    [format.formatLatency(0.00996), "10 ms"],
    [format.formatLatency(0.9996), "1.00 s"],
    [format.formatLatency(12.34), "12.3 s"],
  ],
  formatQuantile: [
    [format.formatQuantile(undefined), "–"],
    [format.formatQuantile({ kind: "below", seconds: 0.005 }), "< 5 ms"],
    [format.formatQuantile({ kind: "above", seconds: 10 }), "> 10 s"],
    [format.formatQuantile({ kind: "about", seconds: 0.0625 }), "63 ms"],
  ],
  formatShare: [
    [format.formatShare(undefined), "–"],
    [format.formatShare(0), "0 %"],
    [format.formatShare(0.000_01), "< 0.1 %"],
    [format.formatShare(0.0123), "1.2 %"],
    [format.formatShare(1), "100 %"],
  ],
  formatSpan: [
    [format.formatSpan(0), "0 s"],
    [format.formatSpan(59.6), "1 m 0 s"],
    [format.formatSpan(3 * 86_400 + 4 * 3_600 + 59), "3 d 4 h"],
    [format.formatSpan(-1), "0 s"],
    [format.formatSpan(undefined), "–"],
  ],
  formatMemory: [[format.formatMemory(52 * 2 ** 20), "52 MiB"]],
  formatNumberOf: [
    [format.formatNumberOf(1, "worker"), "1 worker"],
    [format.formatNumberOf(0, "worker"), "0 workers"],
  ],
  formatReason: [[format.formatReason("out_of_memory"), "out of memory"]],
};

for (const [name, cases] of Object.entries(CASES)) {
  describe(name, () => {
    for (const [actual, expected] of cases) {
      it(`writes ${expected}`, () => assert.equal(plain(actual), expected));
    }
  });
}

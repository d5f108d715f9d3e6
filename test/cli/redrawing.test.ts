import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Redrawing } from "../../src/cli/redrawing.ts";

function drawn(size: { columns?: number; rows?: number } | undefined, texts: string[]): string {
  let written = "";
  const redrawing = new Redrawing({
    isTerminal: size !== undefined,
    columns: size?.columns,
    rows: size?.rows,
    write: (text) => void (written += text),
    onUnread: () => () => {},
  });
  for (const text of texts) redrawing.draw(text);
  return written;
}

describe("Redrawing", () => {
  it("goes back over as many lines as it has written, and clears what is below", () => {
    assert.equal(
      drawn({ columns: 80, rows: 24 }, ["a\n\nb\n", "c\n", "d\n"]),
      "a\n\nb\n\u001B[3F\u001B[Jc\n\u001B[1F\u001B[Jd\n",
    );
  });

  it("cuts lines that would wrap, and lines that would scroll", () => {
    assert.equal(drawn({ columns: 4, rows: 24 }, ["four\nfive5\n"]), "four\nfiv…\n");
    assert.equal(drawn({ columns: 80, rows: 4 }, ["1\n2\n3\n"]), "1\n2\n3\n");
    assert.equal(drawn({ columns: 80, rows: 4 }, ["1\n2\n3\n4\n"]), "1\n2\n…\n");
    assert.equal(drawn({ columns: 80, rows: 1 }, ["1\n2\n"]), "…\n");
  });

  it("assumes 80 by 24 where the terminal does not say", () => {
    const line = "x".repeat(81);
    assert.equal(drawn({ columns: 0, rows: 0 }, [`${line}\n`]), `${line.slice(0, 79)}…\n`);
  });

  it("writes one text after the other where there is no terminal", () => {
    const long = `${"x".repeat(200)}\n`;
    assert.equal(drawn(undefined, [long, "b\n"]), `${long}b\n`);
  });
});

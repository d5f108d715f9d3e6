/**
 * `node src/ops/build-page.ts`, after the compiler: makes one page of the markup, the style and the modules of the
 * script, and leaves nothing else of them in `dist`.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

const SOURCE = fileURLToPath(new URL("page/", import.meta.url));
const DIST = fileURLToPath(new URL("../../dist/ops/", import.meta.url));
const COMPILED = join(DIST, "page");
const IMPORT = /^import\s[^;]*?from "(.*?)";\n/gm;
const EXPORT = /^export (?=(?:async )?(?:function|class|const) (\w+))/gm;

function main(): void {
  const style = readFileSync(join(SOURCE, "style.css"), "utf8");
  const script = joinModules(join(COMPILED, "page/main.js"));
  const page = readFileSync(join(SOURCE, "index.html"), "utf8")
    .replace("/* style.css */", () => indentWithTabs(style, 2))
    .replace("/* script */", () => indentWithTabs(script, 4));
  writeFileSync(join(DIST, "page.html"), page);
  rmSync(COMPILED, { recursive: true });
}

/** Puts each module after those it imports. What a module exports must have a name of its own in all of them. */
function joinModules(entry: string): string {
  const joined = new Map<string, string>();
  const collect = (file: string): void => {
    if (joined.has(file)) return;
    const text = readFileSync(file, "utf8");
    for (const [, target = ""] of text.matchAll(IMPORT)) collect(join(dirname(file), target));
    joined.set(file, wrap(text));
  };
  collect(entry);
  const script = [...joined.values()].join("");
  // Two exports of one name end the build here, and so does what was not understood above.
  void new Script(`"use strict"; {\n${script}}`, { filename: "script of the status page" });
  if (script.includes("</script")) throw new Error("The script of the page would end too early");
  return script;
}

/** A function keeps to itself what the module does not export. */
function wrap(text: string): string {
  const names = [...text.matchAll(EXPORT)].map(([, name = ""]) => name);
  const body = text
    .replaceAll(IMPORT, "")
    .replaceAll(EXPORT, "")
    .replace(/^export \{\};\n/m, "");
  const exported = `{ ${names.join(", ")} }`;
  return `const ${exported} = (() => {\n${body}return ${exported};\n})();\n`;
}

/** Spaces for indentation would be a fifth of the page. */
function indentWithTabs(text: string, width: number): string {
  return text.replaceAll(/^ +/gm, (spaces) => "\t".repeat(spaces.length / width));
}

main();

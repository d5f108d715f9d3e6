import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);

/** The fenced blocks of a document that are in one language, without their indentation. */
export function blocksOf(document: string, language: string): string[] {
  const text = readFileSync(fileURLToPath(new URL(document, ROOT)), "utf8");
  const blocks = text.matchAll(/^( *)```(\w+)\n(.*?)^ *```$/gms);
  return [...blocks]
    .filter(([, , found]) => found === language)
    .map(([, indent = "", , body = ""]) => body.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
}

/** The commands of a document's `sh` blocks, one a line. */
export function commandsOf(document: string): string[] {
  return blocksOf(document, "sh").flatMap((block) =>
    block
      .replaceAll("\\\n", " ")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#")),
  );
}

import { readFile } from "node:fs/promises";
import { OutriggerError } from "../errors.ts";

/** Turns a group name or number into its number. */
export function lookUpGroup(group: string): Promise<number> {
  return lookUp("/etc/group", "group", group);
}

/** Turns a user name or number into its number. */
export function lookUpOwner(owner: string): Promise<number> {
  return lookUp("/etc/passwd", "user", owner);
}

/** Both tables are lines of `name:password:number:…` (passwd(5), group(5)). */
async function lookUp(table: string, kind: "group" | "user", name: string): Promise<number> {
  if (/^\d+$/.test(name)) return Number(name);
  const text = await readFile(table, "utf8").catch(() => "");
  const rows = text.split("\n").map((line) => line.split(":"));
  const [, , number] = rows.find(([known]) => known === name) ?? [];
  if (number !== undefined && /^\d+$/.test(number)) return Number(number);
  throw new OutriggerError(
    "ERR_LISTEN",
    `Cannot find ${kind} "${name}": ${table} has no such name; give its number instead`,
  );
}

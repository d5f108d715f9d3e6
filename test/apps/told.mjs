// Parts of an answer of which the last has to wait for a file: so a test sees them come one by one.
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export async function* parts() {
  yield "first\n";
  while (!existsSync(process.env.GO)) await delay(20);
  yield "last\n";
}

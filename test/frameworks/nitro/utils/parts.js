import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** The body of an answer of which the last part has to wait for a file. */
export function parts() {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(encoder.encode("first\n"));
      while (!existsSync(process.env.GO)) await delay(20);
      controller.enqueue(encoder.encode("last\n"));
      controller.close();
    },
  });
}

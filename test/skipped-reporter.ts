import type { TestEvent } from "node:test/reporters";

/** A reporter for `node --test` that writes one line for every case that was skipped. */
export default async function* skipped(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { name, skip } = event.data;
    if (skip !== undefined && skip !== false)
      yield `${name}: ${skip === true ? "skipped" : skip}\n`;
  }
}

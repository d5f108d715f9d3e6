import { OutriggerError } from "../../src/errors.ts";

/** What comes of reading something; undefined when it is refused in a sentence of ours. Any other error is thrown on. */
export function valueOf<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof OutriggerError && thrown.message.startsWith("Cannot use "))
      return undefined;
    throw thrown;
  }
}

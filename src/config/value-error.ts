import { OutriggerError, type ErrorCode } from "../errors.ts";

/**
 * A value that cannot be used. The reason is said where the value is read; the place it came from
 * is known further up, which is why the two are kept apart.
 */
export class ValueError extends OutriggerError {
  readonly value: string;
  /** What was wanted, as it stands after the colon of the sentence. */
  readonly reason: string;

  constructor(value: string, reason: string, code: ErrorCode = "ERR_CONFIG") {
    const printable = reason.replace(/\p{Cc}/gu, escapeControl);
    super(code, `Cannot use ${JSON.stringify(value)}: ${printable}`);
    this.value = value;
    this.reason = printable;
  }

  /** The same refusal of a larger value this one is a part of. */
  within(value: string): ValueError {
    return new ValueError(value, this.reason, this.code);
  }

  /** The same refusal with its place, such as `OUTRIGGER_WORKERS="x"`. */
  at(place: string): OutriggerError {
    return new OutriggerError(this.code, `Cannot use ${place}: ${this.reason}`, { cause: this });
  }
}

/** A reason may quote parts of the value: a sentence stays one line all the same. */
function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

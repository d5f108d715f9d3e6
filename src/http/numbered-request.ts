import type { IncomingHttpHeaders } from "node:http";
import { http } from "../node-http.ts";
import { requestIdOf } from "../app/request-id.ts";

/** A request whose `headers` name its id to the app, once the app has it and looks. */
export class NumberedRequest extends http.IncomingMessage {
  /** The app has it: before that node:http and we look at the headers, and need no id. */
  isHanded = false;
}

const accessor = Object.getOwnPropertyDescriptor(http.IncomingMessage.prototype, "headers") ?? {};

// A property by its type, in fact an accessor: it cannot be overridden as either.
Object.defineProperty(NumberedRequest.prototype, "headers", {
  ...accessor,
  get(this: NumberedRequest): IncomingHttpHeaders {
    const headers: IncomingHttpHeaders = accessor.get?.call(this);
    if (this.isHanded) headers["x-request-id"] = requestIdOf(this);
    return headers;
  },
});

import { FIRST_HANDED_DESCRIPTOR } from "../activation.ts";
import type { BoundAddress, Endpoint, HandedSource } from "./config.ts";
import { ValueError } from "./value-error.ts";

/** Reads `fd:N` or `systemd:NAME`. */
export function parseHandedSource(address: string): HandedSource {
  const [, kind, text = ""] = /^(fd|systemd):(.*)$/s.exec(address) ?? [];
  if (kind === "fd") {
    if (/^\d{1,7}$/.test(text) && Number(text) >= FIRST_HANDED_DESCRIPTOR)
      return { by: "descriptor", descriptor: Number(text) };
    throw refuse(address, "expected the number of a descriptor above 2, such as fd:3");
  }
  if (/^[\w.@\\-]+$/.test(text)) return { by: "name", socketName: text };
  throw refuse(address, "expected the name of a descriptor, such as systemd:app");
}

/** What the socket of an endpoint is bound to; of one that is handed over only once it was found. */
export function boundAddressOf(endpoint: Endpoint): BoundAddress {
  if (endpoint.kind !== "handed") return endpoint;
  if (endpoint.found !== undefined) return endpoint.found.bound;
  throw new TypeError(`The socket of endpoint "${endpoint.name}" was not looked for`);
}

function refuse(text: string, reason: string): ValueError {
  return new ValueError(text, reason, "ERR_ENDPOINT");
}

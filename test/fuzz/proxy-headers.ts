import type { Chance } from "../helpers/random.ts";
import { proxyV2 } from "../helpers/proxy-header.ts";
import { mutate } from "./mutate.ts";

const IPV4 = { source: "203.0.113.7", destination: "192.0.2.1", sourcePort: 4_711 };
const IPV6 = { source: "2001:db8::7", destination: "2001:db8::1", sourcePort: 65_535 };
const RIGHT = [
  Buffer.from("PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n"),
  Buffer.from("PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n"),
  Buffer.from("PROXY UNKNOWN\r\n"),
  proxyV2(IPV4),
  proxyV2(IPV6),
  proxyV2({ ...IPV4, more: Buffer.from([0xea, 0, 1, 1]) }),
  proxyV2({ command: 0 }),
  proxyV2({ family: 0x31, more: Buffer.alloc(216) }),
] as const;

/** A PROXY header of which half are right. */
export function drawProxyHeader(chance: Chance): Buffer {
  const header = chance.pick(RIGHT);
  return chance.is(0.5) ? header : mutate(header, chance);
}

import { isIPv6, SocketAddress } from "node:net";

export interface ProxyV2Options {
  readonly version?: number;
  /** 0 is `LOCAL`, 1 is `PROXY` (the default). */
  readonly command?: number;
  /** Address family and transport; by default that of `source`. */
  readonly family?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  /** What follows the addresses. */
  readonly more?: Buffer;
}

/** A PROXY header of version 2, right or wrong. */
export function proxyV2(options: ProxyV2Options = {}): Buffer {
  const { version = 2, command = 1, source, destination, sourcePort = 0 } = options;
  const isSixth = isIPv6(source ?? "");
  const { family = source === undefined ? 0 : isSixth ? 0x21 : 0x11 } = options;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  ports.writeUInt16BE(80, 2);
  const addresses =
    source === undefined || destination === undefined
      ? []
      : [addressBytes(source), addressBytes(destination), ports];
  const body = Buffer.concat([...addresses, options.more ?? Buffer.alloc(0)]);
  const head = Buffer.from([
    (version << 4) | command,
    family,
    body.length >> 8,
    body.length & 0xff,
  ]);
  return Buffer.concat([Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"), head, body]);
}

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const { address: shortest } = new SocketAddress({ address, family: "ipv6" });
  const [left = "", right] = shortest.split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const [front, back] = [groups(left), groups(right ?? "")];
  const zeros = Array<string>(8 - front.length - back.length).fill("0");
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...front, ...zeros, ...back].entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * index);
  return bytes;
}

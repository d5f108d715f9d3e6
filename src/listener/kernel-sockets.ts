import { readFile } from "node:fs/promises";
import { SocketAddress } from "node:net";
import { endianness } from "node:os";
import type { BoundAddress } from "../config/config.ts";

/** What the kernel says of one socket in our network namespace. */
export type KernelSocket =
  | { readonly state: "listening"; readonly bound: BoundAddress }
  /** A stream that is not listening: bound only, or a connection. */
  | { readonly state: "idle" | "connected" }
  | { readonly state: "packets" };

const IS_LISTENING = 0x1_00_00;
const UNIX_STREAM = 1;
const UNIX_CONNECTED = "03";
const TCP_LISTEN = "0A";
const TABLES = ["unix", "tcp", "tcp6", "udp", "udp6"] as const;

/** The kernel's tables of sockets, in the form of the files below /proc/net. */
export type SocketTables = Readonly<Record<(typeof TABLES)[number], string>>;

/** Where nothing is looked for. */
export const NO_TABLES: SocketTables = { unix: "", tcp: "", tcp6: "", udp: "", udp6: "" };

/** Reads the tables; one that the kernel does not have is empty. */
export async function readSocketTables(): Promise<SocketTables> {
  const texts = TABLES.map(async (name) => {
    // Names are bytes, of whatever encoding.
    const text = await readFile(`/proc/net/${name}`, "utf8").catch(() => "");
    return [name, text] as const;
  });
  return Object.fromEntries(await Promise.all(texts)) as Record<keyof SocketTables, string>;
}

/** Finds a socket by its inode; undefined when it is in none of the tables. */
export function findSocket(tables: SocketTables, inode: string): KernelSocket | undefined {
  const { unix, tcp, tcp6, udp, udp6 } = tables;
  if (findInternet(udp, inode) ?? findInternet(udp6, inode)) return { state: "packets" };
  return findUnix(unix, inode) ?? findTcp(tcp, inode) ?? findTcp(tcp6, inode);
}

function findUnix(table: string, inode: string): KernelSocket | undefined {
  for (const line of table.split("\n")) {
    // Num RefCount Protocol Flags Type St Inode Path; only the path may hold spaces.
    const [, flags = "", type = "", state, found, path] =
      /^\S+ \S+ \S+ (\S+) (\S+) (\S+)\s+(\d+)(?: (.+))?$/.exec(line) ?? [];
    if (found !== inode) continue;
    if (Number.parseInt(type, 16) !== UNIX_STREAM) return { state: "packets" };
    if ((Number.parseInt(flags, 16) & IS_LISTENING) === 0 || path === undefined)
      return { state: state === UNIX_CONNECTED ? "connected" : "idle" };
    return { state: "listening", bound: readUnixName(path) };
  }
  return undefined;
}

/** The kernel writes an abstract name with an @ for its leading NUL. */
function readUnixName(path: string): BoundAddress {
  return path.startsWith("@")
    ? { kind: "abstract", abstractName: path.slice(1) }
    : { kind: "unix", path };
}

function findTcp(table: string, inode: string): KernelSocket | undefined {
  const row = findInternet(table, inode);
  if (row === undefined) return undefined;
  if (row.state !== TCP_LISTEN) return { state: "connected" };
  return { state: "listening", bound: { kind: "tcp", ...readInternetAddress(row.local) } };
}

/** A row of a table of TCP or UDP sockets. */
function findInternet(
  table: string,
  inode: string,
): { readonly local: string; readonly state: string } | undefined {
  for (const line of table.split("\n")) {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
    const [, local = "", , state = "", , , , , , found] = line.trim().split(/\s+/);
    if (found === inode) return { local, state };
  }
  return undefined;
}

/** `0100007F:1F90`: words of 32 bits in the byte order of the machine, and the port. */
function readInternetAddress(text: string): { readonly host: string; readonly port: number } {
  const [address = "", port = ""] = text.split(":");
  const bytes = Buffer.from(address, "hex");
  if (endianness() === "LE") bytes.swap32();
  return { host: formatHost(bytes), port: Number.parseInt(port, 16) };
}

function formatHost(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = bytes.toString("hex").replaceAll(/.{4}(?!$)/g, "$&:");
  return new SocketAddress({ family: "ipv6", address: groups }).address;
}

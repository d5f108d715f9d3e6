import type { ListenOptions } from "node:net";

const HIGHEST_PORT = 65_535;

/** Where a server was asked to listen. */
export type Asked =
  | { readonly kind: "port"; readonly port: number; readonly host: string | undefined }
  | { readonly kind: "path"; readonly path: string }
  /** A descriptor or a handle. */
  | { readonly kind: "handle" };

type Listener = (...args: unknown[]) => unknown;

/** The arguments of a call of `server.listen()`, in one form. */
export interface ListenCall {
  readonly asked: Asked;
  readonly options: ListenOptions;
  /** Called as a listener of the server. */
  readonly callback: Listener | undefined;
}

/** Reads the arguments of `server.listen()` as Node does; undefined for those that Node refuses. */
export function readListenCall(args: readonly unknown[]): ListenCall | undefined {
  const last = args.at(-1);
  const options = readOptions(args);
  const asked = readAsked(options);
  if (asked === undefined) return undefined;
  return { asked, options, callback: isFunction(last) ? last : undefined };
}

/** `port 3000`, for people. */
export function describeAsked(asked: Asked): string {
  if (asked.kind === "path") return asked.path;
  return asked.kind === "port" ? `port ${asked.port}` : "a descriptor of its own";
}

function readOptions([first, second, third]: readonly unknown[]): ListenOptions {
  if (typeof first === "object" && first !== null) return first;
  const backlog = [second, third].find((value) => typeof value === "number");
  const shared = typeof backlog === "number" ? { backlog } : {};
  if (typeof first === "string" && !isNumeric(first)) return { ...shared, path: first };
  // A first argument that is left out, or is the callback, asks for any port.
  const port = isFunction(first) ? undefined : first;
  const host = typeof second === "string" ? { host: second } : {};
  return { ...shared, ...host, port: port as number };
}

function readAsked(options: ListenOptions): Asked | undefined {
  if ("_handle" in options || "handle" in options) return { kind: "handle" };
  if ("fd" in options && typeof options.fd === "number" && options.fd >= 0)
    return { kind: "handle" };
  const { path, host } = options;
  const port: unknown = options.port;
  if (typeof port === "number" || (typeof port === "string" && isNumeric(port))) {
    const number = Number(port);
    const isPort = Number.isInteger(number) && number >= 0 && number <= HIGHEST_PORT;
    return isPort ? { kind: "port", port: number, host } : undefined;
  }
  if (typeof path === "string") return { kind: "path", path };
  const asksForAny = port === null || (port === undefined && "port" in options);
  return asksForAny ? { kind: "port", port: 0, host } : undefined;
}

function isNumeric(text: string): boolean {
  return text.trim() !== "" && Number(text) >= 0;
}

function isFunction(value: unknown): value is Listener {
  return typeof value === "function";
}

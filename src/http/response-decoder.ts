import { ChunkDecoder } from "./chunk-decoder.ts";

/** Fields by their lower-case names, as HTTP/2 wants them. */
export type Fields = Readonly<Record<string, string | string[]>>;

/** What a response consists of. */
export interface ResponseEvents {
  /** A head with a status below 200; the final one follows. */
  informed(status: number, fields: Fields): void;
  /** The head; `isLast` when no body follows it. */
  head(status: number, fields: Fields, isLast: boolean): void;
  data(bytes: Buffer): void;
  /** The body is complete. */
  end(trailers: Fields): void;
}

/** Meant for one connection: HTTP/2 forbids them (RFC 9113, section 8.2.2). */
const CONNECTION_FIELDS = new Set([
  "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
]); // prettier-ignore
const HEAD_END = "\r\n\r\n";

function withoutConnectionFields(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([name]) => !CONNECTION_FIELDS.has(name)),
  );
}

/** Reads the HTTP/1.1 response that `node:http` writes for one request; what it writes is well-formed. */
export class ResponseDecoder {
  readonly #events: ResponseEvents;
  readonly #isHead: boolean;
  #head = Buffer.alloc(0);
  #body: ((bytes: Buffer) => void) | undefined;

  /** @param method Of the request; the response to HEAD has no body, whatever its length says. */
  constructor(method: string, events: ResponseEvents) {
    this.#isHead = method === "HEAD";
    this.#events = events;
  }

  write(bytes: Buffer): void {
    if (this.#body !== undefined) {
      this.#body(bytes);
      return;
    }
    this.#head = this.#head.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf(HEAD_END);
    if (end === -1) return;
    const rest = this.#head.subarray(end + HEAD_END.length);
    const [statusLine = "", ...lines] = this.#head.toString("latin1", 0, end).split("\r\n");
    this.#head = Buffer.alloc(0);
    this.#takeHead(Number(statusLine.split(" ", 2)[1]), lines);
    if (rest.length > 0) this.write(rest);
  }

  /** No more is written; a body without a length ends here. */
  end(): void {
    if (this.#body === this.#pass) this.#finish({});
  }

  #takeHead(status: number, lines: readonly string[]): void {
    const all = parseFields(lines);
    const fields = withoutConnectionFields(all);
    if (status < 200) {
      this.#events.informed(status, fields);
      return;
    }
    const length = Number(all["content-length"] ?? Number.NaN);
    const isLast = this.#isHead || status === 204 || status === 304 || length === 0;
    this.#events.head(status, fields, isLast);
    if (isLast) this.#body = ignore;
    else if (all["transfer-encoding"] !== undefined) this.#body = this.#createChunked();
    else this.#body = Number.isNaN(length) ? this.#pass : this.#createCounted(length);
  }

  readonly #pass = (bytes: Buffer): void => this.#events.data(bytes);

  #createChunked(): (bytes: Buffer) => void {
    const decoder = new ChunkDecoder({
      data: (bytes) => this.#events.data(bytes),
      end: (trailers) => this.#finish(withoutConnectionFields(parseFields(trailers))),
    });
    return (bytes) => decoder.write(bytes);
  }

  #createCounted(length: number): (bytes: Buffer) => void {
    let left = length;
    return (bytes) => {
      left -= bytes.length;
      this.#events.data(bytes);
      if (left <= 0) this.#finish({});
    };
  }

  #finish(trailers: Fields): void {
    this.#body = ignore;
    this.#events.end(trailers);
  }
}

function ignore(): void {}

function parseFields(lines: readonly string[]): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields[name];
    fields[name] = before === undefined ? value : [before, value].flat();
  }
  return fields;
}

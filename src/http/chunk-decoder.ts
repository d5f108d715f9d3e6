/** What a chunked body consists of. */
export interface ChunkEvents {
  data(bytes: Buffer): void;
  /** The body is complete; these fields followed it, as written. */
  end(trailers: readonly string[]): void;
}

type State = "size" | "data" | "data-end" | "trailers" | "done";

/** Takes the chunked coding off what `node:http` writes, which is well-formed, however it is cut. */
export class ChunkDecoder {
  readonly #events: ChunkEvents;
  #state: State = "size";
  #line = "";
  #left = 0;
  readonly #trailers: string[] = [];

  constructor(events: ChunkEvents) {
    this.#events = events;
  }

  write(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      at = this.#state === "data" ? this.#readData(bytes, at) : this.#readLine(bytes, at);
    }
  }

  #readData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#events.data(bytes.subarray(at, end));
    this.#left -= end - at;
    if (this.#left === 0) this.#state = "data-end";
    return end;
  }

  #readLine(bytes: Buffer, at: number): number {
    const feed = bytes.indexOf("\n", at);
    const end = feed === -1 ? bytes.length : feed + 1;
    this.#line += bytes.toString("latin1", at, end);
    if (feed === -1) return end;
    const line = this.#line.trimEnd();
    this.#line = "";
    this.#takeLine(line);
    return end;
  }

  #takeLine(line: string): void {
    if (this.#state === "data-end") {
      this.#state = "size";
    } else if (this.#state === "size") {
      this.#left = Number.parseInt(line, 16);
      this.#state = this.#left === 0 ? "trailers" : "data";
    } else if (line === "") {
      this.#state = "done";
      this.#events.end(this.#trailers);
    } else {
      this.#trailers.push(line);
    }
  }
}

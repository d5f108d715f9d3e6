/** The first line of a request, as it was sent. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
}

/** Reads the request line that bytes begin with; undefined when they do not. */
export function readRequestLine(bytes: string): RequestLine | undefined {
  const [, method, target, httpVersion] =
    /^([A-Z-]{1,32}) (\S+) HTTP\/(\d\.\d)\r?\n/.exec(bytes) ?? [];
  if (method === undefined || target === undefined || httpVersion === undefined) return undefined;
  return { method, target, httpVersion };
}

/** Whether bytes are the beginning of a request line, and nothing more. */
export function isWithinRequestLine(bytes: string): boolean {
  return /^[A-Z-]{1,32} \S*$/.test(bytes);
}

/** Headers that we look at ourselves. */
export interface RequestHeaders {
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
  readonly forwardedFor: string | undefined;
  readonly forwarded: string | undefined;
  readonly forwardedProto: string | undefined;
  readonly forwardedHost: string | undefined;
  readonly forwardedPort: string | undefined;
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
}

/**
 * Picks our headers out of Node's flat list of names and values. `request.headers` would do, but it
 * makes an object of all headers, which an app that reads none would pay for with every log line.
 */
export function readRequestHeaders(raw: readonly string[]): RequestHeaders {
  let userAgent: string | undefined;
  let referer: string | undefined;
  let forwardedFor: string | undefined;
  let forwarded: string | undefined;
  let forwardedProto: string | undefined;
  let forwardedHost: string | undefined;
  let forwardedPort: string | undefined;
  let requestId: string | undefined;
  let traceparent: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? "";
    // Almost every other header is told apart by its length alone.
    if (name.length === 10 && isNamed(name, "user-agent")) userAgent ??= raw[index + 1];
    else if (name.length === 7 && isNamed(name, "referer")) referer ??= raw[index + 1];
    else if (name.length === 15 && isNamed(name, "x-forwarded-for"))
      forwardedFor = join(forwardedFor, raw[index + 1]);
    else if (name.length === 9 && isNamed(name, "forwarded"))
      forwarded = join(forwarded, raw[index + 1]);
    else if (name.length === 17 && isNamed(name, "x-forwarded-proto"))
      forwardedProto = join(forwardedProto, raw[index + 1]);
    else if (name.length === 16 && isNamed(name, "x-forwarded-host"))
      forwardedHost = join(forwardedHost, raw[index + 1]);
    else if (name.length === 16 && isNamed(name, "x-forwarded-port"))
      forwardedPort = join(forwardedPort, raw[index + 1]);
    else if (name.length === 12 && isNamed(name, "x-request-id"))
      requestId = join(requestId, raw[index + 1]);
    else if (name.length === 11 && isNamed(name, "traceparent"))
      traceparent = join(traceparent, raw[index + 1]);
  }
  return {
    userAgent,
    referer,
    forwardedFor,
    forwarded,
    forwardedProto,
    forwardedHost,
    forwardedPort,
    requestId,
    traceparent,
  };
}

function isNamed(name: string, wanted: string): boolean {
  return name.toLowerCase() === wanted;
}

/** A list that was sent in several headers is one list (RFC 9110, section 5.3). */
function join(list: string | undefined, more: string | undefined): string | undefined {
  return list === undefined ? more : `${list}, ${more}`;
}

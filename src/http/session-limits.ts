import type { ServerOptions } from "node:http2";
import type { RequestLimits } from "../config/limits.ts";

/** Resets at once that are not taken for an attack. */
export const RESET_BURST = 200;
/** And those that may follow. */
export const RESETS_PER_SECOND = 33;

/** What one session may make us keep or do, whatever it asks for; what goes beyond ends it. */
export const SESSION_BOUNDS: ServerOptions = {
  maxSessionMemory: 10,
  maxSettings: 32,
  maxOutstandingPings: 10,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  streamResetBurst: RESET_BURST,
  streamResetRate: RESETS_PER_SECOND,
};

/** How far beyond our limits nghttp2 goes on reading: what it refuses by itself nobody can answer, log or count. */
const LEEWAY = 2;
/** `:method`, `:scheme`, `:authority`, `:path` and `:protocol` are not headers to us. */
const PSEUDO_HEADERS = 5;
/** What a header counts on top of its name and value (RFC 9113, section 6.5.2). */
const HEADER_OVERHEAD_BYTES = 32;
/** A letter, the colon and the end of the line: shorter is no header of HTTP/1.1, as which we measure it. */
const LEAST_HEADER_BYTES = 4;

/** The settings of a server of HTTP/2 whose requests are kept within the limits by us. */
export function limitSessions({ headerBytes, headerCount, streams }: RequestLimits): ServerOptions {
  const mostHeaders = Math.ceil(headerBytes / LEAST_HEADER_BYTES);
  const headers = headerCount === 0 ? mostHeaders : Math.min(headerCount, mostHeaders);
  const maxHeaderListPairs = LEEWAY * headers + PSEUDO_HEADERS;
  return {
    ...SESSION_BOUNDS,
    maxHeaderListPairs,
    settings: {
      enableConnectProtocol: false,
      maxConcurrentStreams: streams,
      maxHeaderListSize: LEEWAY * headerBytes + HEADER_OVERHEAD_BYTES * maxHeaderListPairs,
    },
  };
}

import type Http2 from "node:http2";

/** `node:http2`, once a connection speaks it: 4 MB that most workers never need. */
export function loadHttp2(): typeof Http2 {
  return process.getBuiltinModule("node:http2");
}

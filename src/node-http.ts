import type Http from "node:http";

/**
 * `node:http`. An `import` of it asks for everything it exports, its WebSocket among that, and so loads
 * Node's whole HTTP client: 8 MB in every process, which most apps never need.
 */
export const http: typeof Http = process.getBuiltinModule("node:http");

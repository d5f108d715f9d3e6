/** Outrigger as a library: everything that may be imported from "outrigger". */
export { defineApp, defineFetch, type AppDefinition, type FetchApp } from "./app/define.ts";
export { getContext, type RequestContext } from "./app/context.ts";
export type { FetchContext, WebSocketUpgrade } from "./app/fetch.ts";
export { acceptWebSocket, type WebSocketOptions } from "./app/handshake.ts";
export type { Client, Scheme } from "./app/forwarded.ts";
export type { DistinguishedName, PeerIdentity, TlsInfo } from "./app/tls-info.ts";
export { serve } from "./serve/serve.ts";
export type {
  ListenOptions,
  ServeEvents,
  ServeOptions,
  Server,
  TlsListenOptions,
} from "./serve/server.ts";
export type { Stopped } from "./supervisor/closing.ts";
export { OutriggerError, type ErrorCode } from "./errors.ts";

import type { FetchHandler } from "./fetch.ts";
import { markFetchHandler } from "./fetch.ts";

/** Optional parts of an app, whatever kind it is. */
export interface AppHooks {
  /** Runs to the end before anything is published; throwing makes the start fail. */
  startup?(): unknown;
  /** Runs after the last request has ended. */
  shutdown?(): unknown;
  /** The app's own part of `/readyz`: false, `{ healthy: false, message }` or throwing fails it. */
  health?(): unknown;
}

/** An app of web-standard requests and responses. */
export interface FetchApp extends AppHooks {
  readonly fetch: FetchHandler;
}

/** What `defineApp` takes. */
export type AppDefinition = FetchApp;

/** Types a `{ fetch }` app; returns it as it is. */
export function defineApp<App extends AppDefinition>(app: App): App {
  return app;
}

/** Marks a bare function as a fetch handler; without the mark it is taken for a Node `(req, res)` handler. */
export function defineFetch<Handler extends FetchHandler>(handler: Handler): Handler {
  return markFetchHandler(handler);
}

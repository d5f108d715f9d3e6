import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server as NetServer } from "node:net";
import { http } from "../node-http.ts";
import type { Logger } from "../log/logger.ts";
import type { App, NodeHandler, UpgradeHook } from "./app.ts";
import { OutriggerError } from "../errors.ts";
import type { ContextFactory } from "./context.ts";
import { adaptFetch, isFetchHandler, type FetchHandler } from "./fetch.ts";
import { adaptFetchUpgrade, asksForWebSocket } from "./fetch-upgrade.ts";
import { readHooks } from "./hooks.ts";
import type { ListenCapture } from "./listen-capture.ts";
import type { AppModule } from "./load.ts";
import { adaptNodeHandler, isNodeHandler } from "./node.ts";
import { adaptStreams, takesStreams } from "./streams.ts";
import { adaptServerUpgrade, adaptUpgrade } from "./upgrade.ts";

/** How requests, and upgrades where the app takes them, reach what a module exports. */
interface Shape {
  readonly handle: App["handle"];
  /** Its server, where it has one; asked once the app has started: until then listeners may be attached to it. */
  readonly server?: () => NetServer | undefined;
  /** Tells its servers from others that the module lets listen; absent where that cannot be told. */
  readonly ownsServer?: App["ownsServer"];
  /** Where it is no server that takes upgrades. */
  readonly upgrade?: UpgradeHook;
  /** Whether an upgrade goes to `upgrade` (always). */
  readonly wantsUpgrade?: App["wantsUpgrade"];
  readonly startup?: () => unknown;
  readonly shutdown?: () => unknown;
}

export interface AdaptOptions {
  readonly log: Logger;
  readonly createContext: ContextFactory;
  /** Where a server is found that the module lets listen by itself; absent where that is not done. */
  readonly capture?: ListenCapture | undefined;
}

/**
 * Finds the app among what a module exports and gives it our interface. In this order: a default
 * export with a `fetch` method or marked as a fetch function, a Node handler or framework instance,
 * then a named `handler` or `fetch`; otherwise the server that the module lets listen by itself.
 *
 * @throws `ERR_APP` when there is none.
 */
export function adaptApp(module: AppModule, options: AdaptOptions): App {
  const { capture, log } = options;
  const exported = capture?.isChosen
    ? undefined
    : (adaptMain(module["default"], options) ?? adaptNamed(module, options));
  const shape = exported ?? (capture && adaptListening(capture, log));
  if (shape === undefined) throw refuseModule(module);
  const isExported = exported !== undefined;
  const hooks = readHooks(module);
  const server = (): NetServer | undefined => shape.server?.() ?? capture?.server;
  return {
    isExported,
    ownsServer: shape.ownsServer,
    handle: shape.handle,
    get upgrade() {
      const upgrade = hooks.upgrade ?? shape.upgrade ?? serverHook(server(), "upgrade");
      return upgrade && adaptUpgrade(upgrade, log);
    },
    get connect() {
      const connect = serverHook(server(), "connect");
      return connect && adaptUpgrade(connect, log);
    },
    get streams() {
      const listening = isExported ? undefined : capture?.server;
      return listening && takesStreams(listening) ? adaptStreams(listening, log) : undefined;
    },
    get answersExpectations() {
      return answersExpectations(shape.server?.());
    },
    wantsUpgrade: hooks.upgrade === undefined ? shape.wantsUpgrade : undefined,
    health: hooks.health,
    async startup() {
      await hooks.startup?.();
      await shape.startup?.();
    },
    async shutdown() {
      await hooks.shutdown?.();
      await shape.shutdown?.();
    },
  };
}

/**
 * Says what was found instead of an app, and what was wanted.
 *
 * @param listening What is known of its listening, where that would have done.
 */
export function refuseModule(module: AppModule, listening?: string): OutriggerError {
  const exported =
    Object.keys(module)
      .filter((name) => name !== "module.exports")
      .join(", ") || "nothing";
  const [found, alternative] =
    listening === undefined
      ? ["", ""]
      : [`, and ${listening}`, ", or a call of listen() on a server of node:http"];
  return new OutriggerError(
    "ERR_APP",
    `Cannot find an app among the exports (${exported})${found}: expected a default export that is a (req, res) handler, ` +
      `a framework instance or an object with a fetch method, or an export named handler or fetch${alternative}`,
  );
}

/** The server that the module lets listen by itself, which may be any time later. */
function adaptListening(capture: ListenCapture, log: Logger): Shape {
  return {
    handle: adaptNodeHandler((request, response) => {
      const { server } = capture;
      if (server === undefined) return;
      if (takesStreams(server)) refuseVersion(response);
      else emitRequest(server, request, response);
    }, log),
    server: () => capture.server,
  };
}

/** What speaks HTTP/2 alone has nobody to call for HTTP/1.1. */
function refuseVersion(response: ServerResponse): void {
  response.shouldKeepAlive = false;
  response.writeHead(505, { "content-type": "text/plain; charset=utf-8" });
  response.end("This app speaks HTTP/2 alone\n");
}

function emitRequest(server: NetServer, request: IncomingMessage, response: ServerResponse): void {
  const isAsking = request.headers.expect !== undefined && answersExpectations(server);
  server.emit(isAsking ? "checkContinue" : "request", request, response);
}

function answersExpectations(server: NetServer | undefined): boolean {
  return server !== undefined && server.listenerCount("checkContinue") > 0;
}

function serverHook(
  server: NetServer | undefined,
  event: "upgrade" | "connect",
): UpgradeHook | undefined {
  return server && adaptServerUpgrade(server, event);
}

function adaptMain(main: unknown, options: AdaptOptions): Shape | undefined {
  if (isFetchHandler(main)) return adaptFetchHandler(main, options);
  if (typeof main === "object" && main !== null) return adaptInstance(main, options);
  return isNodeHandler(main) ? adaptExportedHandler(main, options) : undefined;
}

function adaptNamed(module: AppModule, options: AdaptOptions): Shape | undefined {
  if (isNodeHandler(module["handler"])) return adaptExportedHandler(module["handler"], options);
  const fetch = module["fetch"];
  if (typeof fetch !== "function") return undefined;
  return adaptFetchHandler(
    (request, context) => Reflect.apply(fetch, undefined, [request, context]),
    options,
  );
}

function adaptExportedHandler(handler: NodeHandler, { log }: AdaptOptions): Shape {
  return {
    handle: adaptNodeHandler(handler, log),
    ownsServer: (server) => isListenedTo(server, (listener) => listener === handler),
  };
}

function adaptFetchHandler(fetch: FetchHandler, options: AdaptOptions): Shape {
  const upgrade = adaptFetchUpgrade(fetch, options.createContext);
  return {
    handle: adaptFetch(fetch, options),
    upgrade,
    wantsUpgrade: asksForWebSocket,
  };
}

/** Frameworks are told apart by the method that their documentation gives for this purpose. */
function adaptInstance(main: object, options: AdaptOptions): Shape | undefined {
  if (main instanceof http.Server) {
    return {
      handle: adaptNodeHandler(
        (request, response) => emitRequest(main, request, response),
        options.log,
      ),
      server: () => main,
      ownsServer: (server) => server === main,
    };
  }
  if (hasMethod(main, "fetch")) {
    const fetch: FetchHandler = (request, context) => main.fetch(request, context);
    return adaptFetchHandler(fetch, options);
  }
  if (hasMethod(main, "routing") && hasMethod(main, "ready") && hasMethod(main, "close"))
    return adaptFastify(main, options);
  return hasMethod(main, "callback") ? adaptKoa(main, options) : undefined;
}

function adaptKoa(
  main: Record<"callback", () => unknown>,
  options: AdaptOptions,
): Shape | undefined {
  const handler = main.callback();
  const shape = adaptMain(handler, options);
  // It makes another listener for each server, all of the same text.
  const isAlike = (listener: unknown): boolean => String(listener) === String(handler);
  return shape && { ...shape, ownsServer: (server) => isListenedTo(server, isAlike) };
}

function adaptFastify(
  main: Record<"routing" | "ready" | "close", (...args: unknown[]) => unknown>,
  options: AdaptOptions,
): Shape {
  const server = "server" in main && main.server instanceof http.Server ? main.server : undefined;
  return {
    handle: adaptNodeHandler((request, response) => main.routing(request, response), options.log),
    server: () => server,
    ownsServer: (other) => other === server,
    startup: () => main.ready(),
    shutdown: () => main.close(),
  };
}

/** Upgrades that a server listens for are served, so it is not another one then, whatever became of its first listener. */
function isListenedTo(server: NetServer, isOwn: (listener: unknown) => boolean): boolean {
  return server.listenerCount("upgrade") > 0 || server.listeners("request").some(isOwn);
}

function hasMethod<Name extends string, Value extends object>(
  value: Value,
  name: Name,
): value is Value & Record<Name, (...args: unknown[]) => unknown> {
  return name in value && typeof Reflect.get(value, name) === "function";
}

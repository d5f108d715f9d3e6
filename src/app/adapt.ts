import { Server } from "node:http";
import type { Logger } from "../log/logger.ts";
import type { App, UpgradeHook } from "./app.ts";
import { OutriggerError } from "../errors.ts";
import type { ContextFactory } from "./context.ts";
import { adaptFetch, isFetchHandler, type FetchHandler } from "./fetch.ts";
import { readHooks } from "./hooks.ts";
import type { AppModule } from "./load.ts";
import { adaptNodeHandler, isNodeHandler } from "./node.ts";
import { adaptServerUpgrade, adaptUpgrade } from "./upgrade.ts";

/** How requests, and upgrades where the app takes them, reach what a module exports. */
interface Shape {
  readonly handle: App["handle"];
  /** Asked once the app has started: until then listeners may be attached to its server. */
  readonly upgrade?: () => UpgradeHook | undefined;
  readonly startup?: () => unknown;
  readonly shutdown?: () => unknown;
}

export interface AdaptOptions {
  readonly log: Logger;
  readonly createContext: ContextFactory;
}

/**
 * Finds the app among what a module exports and gives it our interface. In this order: a default
 * export with a `fetch` method or marked as a fetch function, a Node handler or framework instance,
 * then a named `handler` or `fetch`.
 *
 * @throws `ERR_APP` when there is none.
 */
export function adaptApp(module: AppModule, options: AdaptOptions): App {
  const shape = adaptMain(module["default"], options) ?? adaptNamed(module, options);
  if (shape === undefined) {
    const exported = Object.keys(module).join(", ") || "nothing";
    throw new OutriggerError(
      "ERR_APP",
      `Cannot find an app among the exports (${exported}): expected a default export that is a (req, res) handler, ` +
        "a framework instance or an object with a fetch method, or an export named handler or fetch",
    );
  }
  const hooks = readHooks(module);
  return {
    handle: shape.handle,
    get upgrade() {
      const upgrade = hooks.upgrade ?? shape.upgrade?.();
      return upgrade && adaptUpgrade(upgrade, options.log);
    },
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

function adaptMain(main: unknown, options: AdaptOptions): Shape | undefined {
  if (isFetchHandler(main)) return { handle: adaptFetch(main, options) };
  if (typeof main === "object" && main !== null) return adaptInstance(main, options);
  return isNodeHandler(main) ? { handle: adaptNodeHandler(main, options.log) } : undefined;
}

function adaptNamed(module: AppModule, options: AdaptOptions): Shape | undefined {
  if (isNodeHandler(module["handler"]))
    return { handle: adaptNodeHandler(module["handler"], options.log) };
  const fetch = module["fetch"];
  if (typeof fetch !== "function") return undefined;
  return {
    handle: adaptFetch(
      (request, context) => Reflect.apply(fetch, undefined, [request, context]),
      options,
    ),
  };
}

/** Frameworks are told apart by the method that their documentation gives for this purpose. */
function adaptInstance(main: object, options: AdaptOptions): Shape | undefined {
  if (main instanceof Server) {
    return {
      handle: adaptNodeHandler(
        (request, response) => main.emit("request", request, response),
        options.log,
      ),
      upgrade: () => adaptServerUpgrade(main),
    };
  }
  if (hasMethod(main, "fetch")) {
    const fetch: FetchHandler = (request, context) => main.fetch(request, context);
    return { handle: adaptFetch(fetch, options) };
  }
  if (hasMethod(main, "routing") && hasMethod(main, "ready") && hasMethod(main, "close"))
    return adaptFastify(main, options);
  if (hasMethod(main, "callback")) return adaptMain(main.callback(), options);
  return undefined;
}

function adaptFastify(
  main: Record<"routing" | "ready" | "close", (...args: unknown[]) => unknown>,
  options: AdaptOptions,
): Shape {
  const server = "server" in main && main.server instanceof Server ? main.server : undefined;
  return {
    handle: adaptNodeHandler((request, response) => main.routing(request, response), options.log),
    upgrade: () => server && adaptServerUpgrade(server),
    startup: () => main.ready(),
    shutdown: () => main.close(),
  };
}

function hasMethod<Name extends string, Value extends object>(
  value: Value,
  name: Name,
): value is Value & Record<Name, (...args: unknown[]) => unknown> {
  return name in value && typeof Reflect.get(value, name) === "function";
}

import { describeError, OutriggerError } from "../errors.ts";
import type { HealthReport } from "../snapshot.ts";
import type { UpgradeHook } from "./app.ts";
import type { AppModule } from "./load.ts";

/** The optional named exports of an app. */
export interface AppHooks {
  readonly startup: (() => unknown) | undefined;
  readonly shutdown: (() => unknown) | undefined;
  readonly health: (() => Promise<HealthReport>) | undefined;
  readonly upgrade: UpgradeHook | undefined;
}

/**
 * Reads `startup`, `shutdown`, `health` and `upgrade`.
 *
 * @throws `ERR_APP` when one of them is exported but is no function: it would be ignored otherwise.
 */
export function readHooks(module: AppModule): AppHooks {
  const health = readHook(module, "health");
  return {
    startup: readHook(module, "startup"),
    shutdown: readHook(module, "shutdown"),
    health: health && (() => askHealth(health)),
    upgrade: readHook(module, "upgrade"),
  };
}

type Hook = (...args: unknown[]) => unknown;

function readHook(module: AppModule, name: string): Hook | undefined {
  const hook = module[name];
  if (hook === undefined) return undefined;
  if (typeof hook === "function") return (...args) => Reflect.apply(hook, undefined, args);
  throw new OutriggerError(
    "ERR_APP",
    `Cannot use the export "${name}": expected a function, got ${typeof hook}`,
  );
}

/** Healthy unless the hook throws, or returns false or `{ healthy: false, message }`. */
async function askHealth(health: Hook): Promise<HealthReport> {
  try {
    const answer: unknown = await health();
    if (answer === false) return { healthy: false, message: "health() returned false" };
    if (
      typeof answer === "object" &&
      answer !== null &&
      "healthy" in answer &&
      answer.healthy === false
    ) {
      const message = "message" in answer ? String(answer.message) : "health() said healthy: false";
      return { healthy: false, message };
    }
    return { healthy: true };
  } catch (error) {
    return { healthy: false, message: describeError(error).message };
  }
}

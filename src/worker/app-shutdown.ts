import type { App } from "../app/app.ts";
import type { ListenCapture } from "../app/listen-capture.ts";
import { describeError } from "../errors.ts";
import { settledBefore } from "../lifecycle/deadline.ts";
import type { WorkerHost } from "./worker-host.ts";

export interface AppShutdownOptions {
  readonly app: App | undefined;
  readonly capture: ListenCapture | undefined;
  readonly host: Pick<WorkerHost, "log" | "process">;
  /** Writes out what is known: the app may end the process by a signal, of which nobody here hears. */
  readonly saveAll: () => void;
}

/** Lets the app shut down once its connections are gone; what it still does when the signal aborts is not waited for. */
export async function shutDownApp(options: AppShutdownOptions, signal: AbortSignal): Promise<void> {
  const { app, capture, host } = options;
  try {
    // A hook that waits until its server has closed is to hear of that.
    capture?.release();
    const stopped = app?.shutdown().then(() => stopListeningApp(options));
    if (await settledBefore(stopped ?? Promise.resolve(), signal)) return;
    host.log.warn({}, "app shutdown did not end in time");
  } catch (error) {
    host.log.error({ error: describeError(error) }, "app shutdown failed");
  }
}

/** One that calls `listen()` stops as it does by itself: on a signal, until it exits or has nothing left to do. */
async function stopListeningApp({ capture, host, saveAll }: AppShutdownOptions): Promise<void> {
  const { process } = host;
  if (capture?.isListening !== true || process === undefined) return;
  saveAll();
  const idle = process.idleness.begin();
  if (process.tellApp()) await idle;
  process.idleness.end();
}

import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Metrics } from "../metrics.ts";
import type { Pod } from "./pod.ts";

/** The ports of our manifests. */
export const NGINX_PORT = 8080;
export const OPS_PORT = 9464;
const PROBE_PORT = 9465;

/** What is seen from outside at an instant of a termination. */
export interface Sight {
  /** Since the pod was told to go: when the look began, and when it was over. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly ready: number;
  readonly live: number;
  readonly phase: string;
  /** The probe port is open. */
  readonly probe: boolean;
  /** A request by way of nginx is answered. */
  readonly serves: boolean;
}

/** Looks four times a second, as long as there is somebody to look at. */
export async function watchPod(pod: Pod, signal: AbortSignal, seen: Sight[]): Promise<void> {
  const startMs = performance.now();
  while (!signal.aborted) {
    try {
      const serves = await pod.ask(NGINX_PORT, "/").then(
        ({ status }) => status === 200,
        () => undefined,
      );
      const fromMs = performance.now() - startMs;
      const probe = await isProbeOpen(pod);
      const [ready, live, metrics] = await Promise.all([
        pod.ask(OPS_PORT, "/readyz"),
        pod.ask(OPS_PORT, "/livez"),
        scrapePod(pod),
      ]);
      const phase = metrics.samples.find(
        ({ name, value }) => name === "outrigger_state" && value === 1,
      );
      seen.push({
        fromMs,
        untilMs: performance.now() - startMs,
        ready: ready.status,
        live: live.status,
        phase: phase?.labels["state"] ?? "",
        probe,
        // Once nginx refuses connections there is nothing more to say about requests.
        serves: serves ?? true,
      });
    } catch {
      // It has gone between two questions.
    }
    await delay(250, undefined, { signal }).catch(() => {});
  }
}

/** Whether the probe port takes a connection. */
export async function isProbeOpen(pod: Pod): Promise<boolean> {
  const socket = connect({ host: pod.address, port: PROBE_PORT });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  const answer = await promise;
  socket.destroy();
  return answer;
}

/** What the pod tells Prometheus now. */
export async function scrapePod(pod: Pod): Promise<Metrics> {
  return new Metrics((await pod.ask(OPS_PORT, "/metrics")).text());
}

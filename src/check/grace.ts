import type { DrainConfig } from "../config/config.ts";
import { formatDuration } from "../config/duration.ts";
import type { Finding } from "./finding.ts";

/** What it takes to close, exit and be noticed after the grace period. */
const MARGIN_MS = 5_000;
const ABOUT = "grace-period";

/** Whether a drain can end before the kubelet kills, and has time for requests once its delay is over. */
export function checkGrace(drain: DrainConfig, podGraceMs: number): readonly Finding[] {
  const { gracePeriodMs, delayMs } = drain;
  const [grace, pod] = [formatDuration(gracePeriodMs), formatDuration(podGraceMs)];
  return [...checkPod(), ...checkRest()];

  function checkPod(): readonly Finding[] {
    const leftMs = podGraceMs - gracePeriodMs;
    if (leftMs >= MARGIN_MS) {
      const text = `${grace} end ${formatDuration(leftMs)} before the ${pod} of the pod`;
      return [{ level: "ok", about: ABOUT, text }];
    }
    const most = Math.max(podGraceMs - MARGIN_MS, 0);
    const least = Math.ceil((gracePeriodMs + MARGIN_MS) / 1000);
    const advice = `set terminationGracePeriodSeconds to ${least} at least`;
    const change = most > delayMs ? `${advice}, or --grace-period ${formatDuration(most)}` : advice;
    if (leftMs < 0) {
      const text = `${grace} are longer than the ${pod} of the pod, which kills in the middle of a drain`;
      return [{ level: "fail", about: ABOUT, text, change }];
    }
    const text = `${grace} leave less than 5s of the ${pod} of the pod to close and exit`;
    return [{ level: "warn", about: ABOUT, text, change }];
  }

  function checkRest(): readonly Finding[] {
    if (delayMs === 0) return [];
    const leftMs = gracePeriodMs - delayMs;
    const text = `--drain-delay ${formatDuration(delayMs)} leaves ${formatDuration(leftMs)} of it for requests`;
    if (leftMs >= MARGIN_MS) return [{ level: "ok", about: ABOUT, text }];
    const change = "make the grace period longer, or the delay shorter";
    return [{ level: "warn", about: ABOUT, text, change }];
  }
}

import { formatDuration } from "../config/duration.ts";
import type { Finding } from "./finding.ts";

const MARGIN_MS = 5_000;
const ABOUT = "keep-alive-timeout";

/** Whether nginx always closes an idle connection first; otherwise a POST may be sent on one that closes: a 502. */
export function checkKeepAlive(keepAliveMs: number, nginxMs: number): readonly Finding[] {
  const nginx = formatDuration(nginxMs);
  if (keepAliveMs === 0) {
    return [{ level: "ok", about: ABOUT, text: `no limit, and nginx closes after ${nginx}` }];
  }
  const ours = formatDuration(keepAliveMs);
  const change = `set --keep-alive-timeout ${formatDuration(nginxMs + 3 * MARGIN_MS)}, or a shorter keepalive_timeout in nginx`;
  if (keepAliveMs <= nginxMs) {
    const text = `${ours} are not longer than the ${nginx} of nginx: requests meet a connection that closes`;
    return [{ level: "fail", about: ABOUT, text, change }];
  }
  if (keepAliveMs - nginxMs < MARGIN_MS) {
    const text = `${ours} are hardly longer than the ${nginx} of nginx`;
    return [{ level: "warn", about: ABOUT, text, change }];
  }
  return [{ level: "ok", about: ABOUT, text: `${ours} are longer than the ${nginx} of nginx` }];
}

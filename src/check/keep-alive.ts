import type { Config } from "../config/config.ts";
import { formatDuration } from "../config/duration.ts";
import { chooseTimeouts } from "../config/timeouts.ts";
import type { Finding } from "./finding.ts";

const MARGIN_MS = 5_000;
const OPTION = "keep-alive-timeout";

/** Looks at the timeout of the program, and at those that endpoints have of their own. */
export function checkKeepAlives({ endpoints, http }: Config, nginxMs: number): readonly Finding[] {
  const own = endpoints.filter(({ timeouts }) => timeouts?.keepAliveTimeoutMs !== undefined);
  return [
    ...(own.length < endpoints.length ? checkKeepAlive(http.keepAliveTimeoutMs, nginxMs) : []),
    ...own.flatMap(({ name, timeouts }) =>
      checkKeepAlive(chooseTimeouts(timeouts, http).keepAliveTimeoutMs, nginxMs, name),
    ),
  ];
}

/** Whether nginx always closes an idle connection first; otherwise a POST may be sent on one that closes: a 502. */
export function checkKeepAlive(
  keepAliveMs: number,
  nginxMs: number,
  endpoint?: string,
): readonly Finding[] {
  const about = endpoint ?? OPTION;
  const nginx = formatDuration(nginxMs);
  if (keepAliveMs === 0) {
    return [{ level: "ok", about, text: `no limit, and nginx closes after ${nginx}` }];
  }
  const isOwn = endpoint !== undefined;
  const ours = `${isOwn ? `its ${OPTION} of ` : ""}${formatDuration(keepAliveMs)}`;
  const verb = isOwn ? "is" : "are";
  const wanted = formatDuration(nginxMs + 3 * MARGIN_MS);
  const setting = isOwn ? `?${OPTION}=${wanted}` : `--${OPTION} ${wanted}`;
  const change = `set ${setting}, or a shorter keepalive_timeout in nginx`;
  if (keepAliveMs <= nginxMs) {
    const text = `${ours} ${verb} not longer than the ${nginx} of nginx: requests meet a connection that closes`;
    return [{ level: "fail", about, text, change }];
  }
  if (keepAliveMs - nginxMs < MARGIN_MS) {
    const text = `${ours} ${verb} hardly longer than the ${nginx} of nginx`;
    return [{ level: "warn", about, text, change }];
  }
  return [{ level: "ok", about, text: `${ours} ${verb} longer than the ${nginx} of nginx` }];
}

import type { Endpoint } from "../config/config.ts";
import type { Finding } from "./finding.ts";

/** Whether the kernel gives an endpoint the accept queue it asks for; a full one is a 502 at nginx. */
export function checkQueue(
  { name, backlog }: Endpoint,
  somaxconn: number | undefined,
): readonly Finding[] {
  if (somaxconn === undefined) {
    return [{ level: "warn", about: name, text: "net.core.somaxconn cannot be read" }];
  }
  if (backlog <= somaxconn) {
    const text = `the backlog of ${backlog} fits net.core.somaxconn, ${somaxconn}`;
    return [{ level: "ok", about: name, text }];
  }
  return [
    {
      level: "warn",
      about: name,
      text: `the backlog of ${backlog} is cut to ${somaxconn} by net.core.somaxconn`,
      change: `set the sysctl to ${backlog}, or --backlog ${somaxconn}`,
    },
  ];
}

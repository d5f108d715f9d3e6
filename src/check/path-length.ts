import type { Endpoint } from "../config/config.ts";
import { LONGEST_PATH_BYTES } from "../config/socket-path.ts";
import type { Finding } from "./finding.ts";

/** How much of the longest path a socket uses, and whether nginx can name the endpoint at all. */
export function checkAddress(endpoint: Endpoint): readonly Finding[] {
  const about = endpoint.name;
  switch (endpoint.kind) {
    case "unix": {
      const bytes = Buffer.byteLength(endpoint.path);
      const text = `the path is ${bytes} bytes long, ${LONGEST_PATH_BYTES} are possible`;
      if (bytes <= LONGEST_PATH_BYTES) return [{ level: "ok", about, text }];
      return [{ level: "fail", about, text, change: "choose a shorter path" }];
    }
    case "abstract": {
      const text = "nginx cannot connect to an abstract socket";
      return [{ level: "warn", about, text, change: "give nginx a path or a TCP endpoint" }];
    }
    case "tcp":
    case "handed":
      return [];
  }
}

import type { Occupant, SocketFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** Who has the path of a socket now, and whether a start could take it. */
export function checkOccupant(facts: SocketFacts): readonly Finding[] {
  if (facts.problem !== undefined) return [];
  const { name, path } = facts.endpoint;
  return [{ about: name, ...judge(facts.occupant, path) }];
}

function judge(occupant: Occupant, path: string): Omit<Finding, "about"> {
  switch (occupant.kind) {
    case "free":
      return { level: "ok", text: `${path} is free` };
    case "stale":
      return { level: "ok", text: `a dead socket is at ${path}, and will be replaced` };
    case "outrigger": {
      const who =
        occupant.pid === undefined ? "a live outrigger" : `outrigger, pid ${occupant.pid},`;
      return { level: "ok", text: `${who} serves ${path}` };
    }
    case "live":
      return {
        level: "fail",
        text: `${path} belongs to ${occupant.evidence}`,
        change: "stop that one first, or choose another path",
      };
    case "other":
      return {
        level: "fail",
        text: `${occupant.what} is at ${path}, not a socket`,
        change: "move it away, or choose another path",
      };
  }
}

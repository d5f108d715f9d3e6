import { formatMode } from "../config/values.ts";
import type { Account, FileFacts, SocketFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** uid and gid of nginx in its official images. */
const NGINX_ID = 101;
const WRITE = 2;
const SEARCH = 1;

/** Whether nginx may connect to a socket: that takes search on each directory and write on the file. */
export function checkReach(facts: SocketFacts, nginx: Account | undefined): readonly Finding[] {
  const about = facts.endpoint.name;
  if (facts.problem !== undefined) return [{ level: "fail", about, text: facts.problem }];
  const { directories, file, isOursToGive } = facts;
  if (!isOursToGive) {
    const text = `we may not give the socket to uid ${file.uid} and group ${file.gid}`;
    const change = "take a group that this process has (fsGroup, supplementalGroups), or none";
    return [{ level: "fail", about, text, change }];
  }
  const account = nginx ?? { uid: NGINX_ID, groups: [...new Set([NGINX_ID, file.gid])] };
  const who = `nginx as uid ${account.uid}, groups ${account.groups.join(" and ")},`;
  const closed = directories.find((directory) => !mayDo(account, directory, SEARCH));
  if (closed !== undefined) {
    const text = `${who} cannot enter ${describe(closed)}`;
    return [{ level: "fail", about, text, change: advise(account, closed, "x") }];
  }
  if (!mayDo(account, file, WRITE)) {
    const text = `${who} cannot connect to ${describe(file)}`;
    return [{ level: "fail", about, text, change: adviseOnSocket(account, file) }];
  }
  return [{ level: "ok", about, text: `${who} can connect to ${describe(file)}` }];
}

/** One class of bits counts, the first that fits: an owner without a right does not get it as a member of the group. */
function mayDo({ uid, groups }: Account, file: FileFacts, bit: number): boolean {
  if (uid === 0) return true;
  const shift = uid === file.uid ? 6 : groups.includes(file.gid) ? 3 : 0;
  return ((file.mode >> shift) & bit) !== 0;
}

function advise({ uid, groups }: Account, file: FileFacts, right: string): string {
  if (uid === file.uid) return `chmod u+${right} ${file.path}`;
  if (groups.includes(file.gid)) return `chmod g+${right} ${file.path}`;
  return `chmod o+${right} ${file.path}, or run nginx in group ${file.gid}`;
}

function adviseOnSocket({ uid, groups }: Account, file: FileFacts): string {
  if (uid === file.uid || groups.includes(file.gid)) return "set --socket-mode 0660";
  return `run nginx in group ${file.gid}, set --socket-group to one it has, or --socket-mode 0666`;
}

function describe({ path, mode, uid, gid }: FileFacts): string {
  return `${path} (mode ${formatMode(mode)}, owner ${uid}, group ${gid})`;
}

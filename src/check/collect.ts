import { access, constants, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Config, Endpoint, UnixEndpoint } from "../config/config.ts";
import { describeError, OutriggerError } from "../errors.ts";
import { checkDirectory } from "../listener/inspect-path.ts";
import { describeKind, statPath } from "../listener/file-identity.ts";
import { testLiveness } from "../listener/live-test.ts";
import { findLockHolder } from "../listener/lock.ts";
import { lookUpGroup, lookUpOwner } from "../listener/ownership.ts";
import { readSomaxconn } from "../somaxconn.ts";
import { readCredentials } from "../tls/read-credentials.ts";
import type {
  AwaitedFile,
  CertificateFacts,
  Facts,
  FileFacts,
  Occupant,
  SocketFacts,
} from "./facts.ts";

const PERMISSION_BITS = 0o777;
const SETGID = 0o2000;

/** Looks at the world for the checks; changes nothing in it. */
export async function collectFacts(
  config: Config,
  asked: Pick<Facts, "nginx" | "nginxKeepAliveMs" | "podGraceMs" | "isInPod">,
): Promise<Facts> {
  const paths = config.endpoints.filter((endpoint) => endpoint.kind === "unix");
  return {
    ...asked,
    config,
    untilGone: await lookForAwaited(config.drain.untilGone),
    sockets: await Promise.all(paths.map(lookAtSocket)),
    certificates: await Promise.all(config.endpoints.flatMap(lookAtCertificate)),
    somaxconn: await readSomaxconn(),
    hasSharedMemory: await isWritable("/dev/shm"),
  };
}

async function lookForAwaited(path: string | undefined): Promise<AwaitedFile | undefined> {
  if (path === undefined) return undefined;
  try {
    if ((await statPath(path)) !== undefined) return { path, state: "there" };
    const hasDirectory = (await statPath(`${dirname(path)}/`)) !== undefined;
    return { path, state: hasDirectory ? "absent" : "no directory" };
  } catch {
    return { path, state: "hidden" };
  }
}

function lookAtCertificate({
  name: endpoint,
  tls,
}: Endpoint): readonly Promise<CertificateFacts>[] {
  if (tls === undefined) return [];
  return [
    readCredentials({ endpoint, tls }).then(
      ({ expiresAtMs }) => ({
        endpoint,
        problem: undefined,
        expiresInMs: expiresAtMs - Date.now(),
      }),
      (error: unknown) => ({ endpoint, problem: describeError(error).message }),
    ),
  ];
}

async function lookAtSocket(endpoint: UnixEndpoint): Promise<SocketFacts> {
  try {
    await checkDirectory(endpoint.path);
    const directories = await lookAtDirectories(endpoint.path);
    const occupant = await findOccupant(endpoint.path);
    const planned = await planFile(endpoint, directories.at(-1));
    const file = occupant.kind === "outrigger" ? await lookAt(endpoint.path) : planned;
    const isOursToGive = mayGive(planned);
    return { endpoint, problem: undefined, directories, file, occupant, isOursToGive };
  } catch (error) {
    if (!(error instanceof OutriggerError)) throw error;
    return { endpoint, problem: error.message };
  }
}

/** The directories behind the links that lead to the socket. */
async function lookAtDirectories(path: string): Promise<readonly FileFacts[]> {
  const paths: string[] = [];
  for (let inner = await realpath(dirname(path)); ; inner = dirname(inner)) {
    paths.unshift(inner);
    if (inner === dirname(inner)) break;
  }
  return await Promise.all(paths.map(lookAt));
}

/** Owner, group and mode that a start would give to the socket. */
async function planFile(
  { path, mode, owner, group }: UnixEndpoint,
  directory: FileFacts | undefined,
): Promise<FileFacts> {
  const inherited = directory && (await groupOf(directory.path));
  return {
    path,
    mode,
    uid: owner === undefined ? (process.geteuid?.() ?? 0) : await lookUpOwner(owner),
    gid: group === undefined ? (inherited ?? process.getegid?.() ?? 0) : await lookUpGroup(group),
  };
}

/** The group a directory gives to what is made in it; undefined when that is the one of the maker. */
async function groupOf(directory: string): Promise<number | undefined> {
  const { mode, gid } = await stat(directory);
  return (mode & SETGID) === 0 ? undefined : gid;
}

/** chown(2): without privileges only to oneself, and to groups one has. */
function mayGive({ uid, gid }: FileFacts): boolean {
  const ours = process.geteuid?.() ?? 0;
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  return ours === 0 || (uid === ours && groups.includes(gid));
}

/** A lock without a socket is one that starts or stops: the path is taken all the same. */
async function findOccupant(path: string): Promise<Occupant> {
  const holder = await findLockHolder(path);
  const stats = await statPath(path);
  if (stats === undefined) {
    if (holder === undefined) return { kind: "free" };
    return { kind: "live", evidence: "an outrigger that starts or stops" };
  }
  if (!stats.isSocket()) return { kind: "other", what: describeKind(stats) };
  if (holder !== undefined) return { kind: "outrigger", pid: holder.pid };
  const liveness = await testLiveness(path);
  if (liveness.state === "alive") return { kind: "live", evidence: liveness.evidence };
  return { kind: liveness.state === "gone" ? "free" : "stale" };
}

async function lookAt(path: string): Promise<FileFacts> {
  const { uid, gid, mode } = await stat(path);
  return { path, uid, gid, mode: mode & PERMISSION_BITS };
}

async function isWritable(directory: string): Promise<boolean> {
  return await access(directory, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

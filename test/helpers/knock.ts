import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { errnoOf } from "../../src/errors.ts";
import { within } from "./deadline.ts";
import { startGroup } from "./process-group.ts";
import { onEnd, type Scope } from "./scope.ts";

const DEADLINE_MS = 15_000;

/** Connects once and hangs up: `connected`, or the code of the refusal. */
export function knock(path: string): Promise<string> {
  return knockOn({ path });
}

/** The same on a TCP port. */
export function knockPort(address: {
  readonly host: string;
  readonly port: number;
}): Promise<string> {
  return knockOn(address);
}

/** Connects to a port so many times, 50 at once, and ends each connection in that way. */
export async function knockOften(
  target: { readonly host: string; readonly port: number },
  times: number,
  end: (socket: Socket) => void,
): Promise<void> {
  for (let done = 0; done < times; done += 50) {
    const closed = Array.from({ length: 50 }, async () => {
      const socket = connect(target).on("error", () => {});
      await once(socket, "connect");
      const gone = once(socket, "close");
      socket.resume();
      end(socket);
      await gone;
    });
    await within(DEADLINE_MS, Promise.all(closed), "the connections to end");
  }
}

async function knockOn(target: NetConnectOpts): Promise<string> {
  const socket = connect(target);
  try {
    await within(DEADLINE_MS, once(socket, "connect"), `an answer to ${JSON.stringify(target)}`);
    return "connected";
  } catch (error) {
    return errnoOf(error) ?? String(error);
  } finally {
    socket.destroy();
  }
}

/** Somebody who connects again and again. */
export interface Knocking {
  /** Resolves when a connect from now on ends like this. */
  next(outcome: string): Promise<void>;
  /** How often each outcome was seen. */
  stop(): Promise<Readonly<Record<string, number>>>;
}

const KNOCK_FOR_EVER = `
  const { connect } = require("node:net");
  const [path, uid] = process.argv.slice(1);
  process.setgroups([]); process.setgid(Number(uid)); process.setuid(Number(uid));
  const seen = {};
  const knock = () => {
    const socket = connect(path);
    let outcome;
    const note = (what) => (outcome ??= what);
    socket.once("connect", () => { note("connected"); socket.end(); });
    socket.on("error", (error) => note(error.code));
    // One at a time: a flood would fill the accept queue, which proves nothing.
    socket.resume().once("close", () => {
      seen[outcome] = (seen[outcome] ?? 0) + 1;
      console.log(outcome);
      setImmediate(knock);
    });
  };
  process.on("SIGTERM", () => { console.log(JSON.stringify(seen)); process.exit(); });
  knock();`;

/** Lets another user connect to a path as fast as one process can. */
export async function startKnocking(scope: Scope, path: string, uid: number): Promise<Knocking> {
  const group = startGroup(scope, process.execPath, {
    args: ["-e", KNOCK_FOR_EVER, path, String(uid)],
  });
  group.stderr.resume();
  const lines = createInterface({ input: group.stdout });
  onEnd(scope, () => lines.close());
  let last = "";
  lines.on("line", (line) => (last = line));
  await within(DEADLINE_MS, once(lines, "line"), "the first connect");
  return {
    async next(outcome) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (line: string): void => void (line === outcome && resolve());
      lines.on("line", look);
      await within(DEADLINE_MS, promise, `a connect that ends with ${outcome}`);
      lines.off("line", look);
    },
    async stop() {
      group.signal("SIGTERM");
      await within(DEADLINE_MS, group.closed, "the connecting process to end");
      return JSON.parse(last) as Record<string, number>;
    },
  };
}

import { spawn } from "node:child_process";
import { findTool } from "../tools.ts";
import { within } from "./deadline.ts";
import { onEnd, type Scope } from "./scope.ts";

/** Writes every datagram as a line, once it can be sent any; Node has no such sockets. */
const RECEIVER = `
  use Socket;
  $| = 1;
  my $name = $ARGV[0];
  $name =~ s/^@/\\0/;
  socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die $!;
  bind($socket, pack_sockaddr_un($name)) or die $!;
  print "open\\n";
  while (defined recv($socket, my $text, 65536, 0)) {
    $text =~ s/\\n/\\t/g;
    print "$text\\n";
  }
`;

/** One message to the service manager, by variable. */
export type Notification = Readonly<Record<string, string>>;

/** A socket such as systemd gives to a service in `NOTIFY_SOCKET`. */
export interface NotifySocket {
  readonly name: string;
  /** All that came so far. */
  readonly messages: readonly Notification[];
  /** Resolves to the first message that fits, of those that came after \`after\` and those to come. */
  find(
    what: string,
    fits: (message: Notification) => boolean,
    after?: Notification,
  ): Promise<Notification>;
}

const DEADLINE_MS = 15_000;

/** Opens one under a path, or under an abstract name with a leading @. */
export async function openNotifySocket(scope: Scope, name: string): Promise<NotifySocket> {
  const receiver = spawn(findTool("perl") ?? "perl", ["-e", RECEIVER, name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onEnd(scope, () => void receiver.kill("SIGKILL"));
  const messages: Notification[] = [];
  const waiting = new Set<() => void>();
  const opened = Promise.withResolvers<void>();
  let rest = "";
  receiver.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "open") opened.resolve();
      else messages.push(parse(line));
    }
    for (const look of waiting) look();
  });
  await within(DEADLINE_MS, opened.promise, "the notification socket to open");
  return {
    name,
    messages,
    async find(what, fits, after) {
      const { promise, resolve } = Promise.withResolvers<Notification>();
      const look = (): void => {
        const from = after === undefined ? 0 : messages.indexOf(after) + 1;
        const found = messages.slice(from).find(fits);
        if (found !== undefined) resolve(found);
      };
      waiting.add(look);
      look();
      try {
        return await within(DEADLINE_MS, promise, `the service manager to be told: ${what}`);
      } catch (error) {
        throw new Error(`It was told only ${JSON.stringify(messages)}`, { cause: error });
      } finally {
        waiting.delete(look);
      }
    },
  };
}

function parse(line: string): Notification {
  const pairs = line.split("\t").filter((pair) => pair !== "");
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
}

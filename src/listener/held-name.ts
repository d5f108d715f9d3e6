import net, { type Socket } from "node:net";
import { errnoOf } from "../errors.ts";
import { ownServer } from "../own-server.ts";
import { Conversation } from "./conversation.ts";

/** Who is connected and says nothing is cut after this. */
const SILENCE_MS = 5_000;
const MOST_CONNECTIONS = 16;

/** An abstract name that is ours until it is released, or we die, however that comes about. */
export interface HeldName {
  /** Frees it at once; conversations go on that somebody has begun to read. */
  release(): void;
}

export interface NameHolder {
  /** The line everybody is greeted with. */
  greet(): string;
  /** Called with the first line of one that had something to say; what follows is up to it. */
  hear(line: string, conversation: Conversation): void;
}

/** Takes an abstract name; undefined when somebody has it. */
export async function holdName(name: string, holder: NameHolder): Promise<HeldName | undefined> {
  const silent = new Set<Conversation>();
  const server = net.createServer((socket) => void receive(socket, silent, holder));
  server.maxConnections = MOST_CONNECTIONS;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // It stays for life: an error after the bind changes nothing, and must not be an uncaught one.
  ownServer(server).on("error", reject).listen({ path: name }, resolve);
  try {
    await promise;
  } catch (error) {
    if (errnoOf(error) === "EADDRINUSE") return undefined;
    throw error;
  }
  server.unref();
  return {
    release() {
      for (const conversation of silent) conversation.cut();
      server.close();
    },
  };
}

async function receive(
  socket: Socket,
  silent: Set<Conversation>,
  holder: NameHolder,
): Promise<void> {
  const conversation = new Conversation(socket, SILENCE_MS);
  silent.add(conversation);
  void conversation.closed.then(() => silent.delete(conversation));
  conversation.say(holder.greet());
  const line = await conversation.next();
  silent.delete(conversation);
  if (line === undefined) conversation.close();
  else holder.hear(line, conversation);
}

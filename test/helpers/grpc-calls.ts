import { once } from "node:events";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { within } from "./deadline.ts";
import { onEnd, type Scope } from "./scope.ts";

const DEADLINE_MS = 20_000;
const PROTO = fileURLToPath(new URL("../apps/calls.proto", import.meta.url));

interface Text {
  readonly text: string;
}

/** What came of a call that went well. */
export interface Answer {
  readonly texts: readonly string[];
  readonly trailers: Readonly<Record<string, unknown>>;
}

/** The failure of a call, by its code. */
export type CallError = grpc.ServiceError;

/** An open call that gets answers. */
type Answers = grpc.ClientReadableStream<Text> | grpc.ClientDuplexStream<Text, Text>;

interface CallsOptions {
  /** Calls whose stream was never taken are made again, as the library does unless told otherwise (no). */
  readonly retries?: boolean;
}

/** A client of test/apps/grpc.mjs on one channel. */
export class GrpcCalls {
  readonly #client: grpc.Client;

  /** @param target `unix:/path` or `127.0.0.1:8080`. */
  constructor(scope: Scope, target: string, { retries = false }: CallsOptions = {}) {
    this.#client = new grpc.Client(target, grpc.credentials.createInsecure(), {
      "grpc.enable_retries": Number(retries),
      // Each has a channel of its own.
      "grpc.use_local_subchannel_pool": 1,
    });
    onEnd(scope, () => this.#client.close());
  }

  /** One message, one answer. */
  async unary(
    method: "Hello" | "Hang",
    text: string,
    deadlineMs: number = DEADLINE_MS,
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const metadata = new grpc.Metadata();
    let said = "";
    this.#client
      .makeUnaryRequest(
        path(method),
        serialize,
        deserialize,
        { text },
        metadata,
        { deadline: Date.now() + deadlineMs },
        (error, answer) => {
          if (error !== null) reject(error);
          said = answer?.text ?? "";
        },
      )
      .on("status", (status) => resolve({ texts: [said], trailers: status.metadata.toJSON() }));
    return await within(DEADLINE_MS, promise, `an answer to ${method}`);
  }

  /** Many messages, one answer. */
  async join(...texts: readonly string[]): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const call = this.#client.makeClientStreamRequest(
      path("Join"),
      serialize,
      deserialize,
      deadline(),
      (error, answer) => (error === null ? resolve(answer?.text ?? "") : reject(error)),
    );
    for (const text of texts) call.write({ text });
    call.end();
    return await within(DEADLINE_MS, promise, "an answer to all");
  }

  /** One message, many answers. */
  openStream(method: "Split" | "Wait", text: string): OpenCall {
    return new OpenCall(
      this.#client.makeServerStreamRequest(
        path(method),
        serialize,
        deserialize,
        { text },
        deadline(),
      ),
    );
  }

  /** Many messages, many answers. */
  openBoth(): OpenCall {
    const call = this.#client.makeBidiStreamRequest(
      path("Echo"),
      serialize,
      deserialize,
      deadline(),
    );
    return new OpenCall(call, call);
  }
}

/** A call that goes on. */
export class OpenCall {
  readonly #answers: Answers;
  readonly #messages: grpc.ClientDuplexStream<Text, Text> | undefined;
  readonly #texts: string[] = [];
  readonly #ended: Promise<Answer>;

  constructor(answers: Answers, messages?: grpc.ClientDuplexStream<Text, Text>) {
    this.#answers = answers;
    this.#messages = messages;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    promise.catch(() => {});
    answers.on("data", ({ text }: Text) => this.#texts.push(text));
    answers.on("error", reject);
    answers.on("status", ({ metadata }: grpc.StatusObject) =>
      // What was received is told after the status.
      setImmediate(() => resolve({ texts: this.#texts, trailers: metadata.toJSON() })),
    );
    this.#ended = promise;
  }

  say(text: string): void {
    this.#messages?.write({ text });
  }

  /** Resolves when so many answers have come in all. */
  async heard(count: number): Promise<void> {
    while (this.#texts.length < count) {
      const next = Promise.race([once(this.#answers, "data"), this.#ended.then(refuseEnd)]);
      await within(DEADLINE_MS, next, `answer ${count}`);
    }
  }

  /** Says no more, and waits for the end. */
  async end(): Promise<Answer> {
    this.#messages?.end();
    return await within(DEADLINE_MS, this.#ended, "the end of a call");
  }
}

function refuseEnd(): never {
  throw new Error("The call has ended");
}

function path(method: string): string {
  return `/test.Calls/${method}`;
}

function deadline(): grpc.CallOptions {
  return { deadline: Date.now() + DEADLINE_MS };
}

const hello = findHello();

function findHello(): grpc.MethodDefinition<object, object> {
  const service = loadSync(PROTO)["test.Calls"];
  if (service === undefined || !("Hello" in service)) throw new Error(`${PROTO} has no Calls`);
  const { Hello: method } = service;
  if (typeof method !== "object" || !("requestSerialize" in method))
    throw new Error(`${PROTO} has no Hello`);
  return method;
}

function serialize(value: Text): Buffer {
  return hello.requestSerialize(value);
}

function deserialize(bytes: Buffer): Text {
  const value = hello.responseDeserialize(bytes);
  if (!("text" in value) || typeof value.text !== "string") throw new Error("expected a text");
  return { text: value.text };
}

import type { Socket } from "node:net";
import type { HttpEngine } from "../http/engine.ts";
import type { ShedOrder } from "../protocol.ts";
import { chooseConnections } from "./shed-choice.ts";

/** How long answers are counted before connections are chosen. */
const SAMPLE_MS = 300;
/** How long the chosen ones may take to have their next request; those that have none stay. */
const CHOICE_LASTS_MS = 1_000;

/** Ends connections gracefully when it is told to: looks for a while how busy each is, then chooses. */
export class Shedder {
  readonly #engine: Pick<HttpEngine, "shed">;
  #order: ShedOrder | undefined;
  /** Answers by connection while a sample is taken. */
  #answers: Map<Socket, number> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(engine: Pick<HttpEngine, "shed">) {
    this.#engine = engine;
  }

  /** Carries out an order; one that was not carried out yet is forgotten. */
  shed(order: ShedOrder): void {
    this.#order = order;
    if (this.#answers !== undefined) return;
    this.#answers = new Map();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#choose(), SAMPLE_MS).unref();
  }

  /** Counts an answer, when somebody wants to know. */
  count(socket: Socket): void {
    this.#answers?.set(socket, (this.#answers.get(socket) ?? 0) + 1);
  }

  /** Chooses no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#answers = undefined;
  }

  #choose(): void {
    const [answers, order] = [this.#answers, this.#order];
    this.#answers = undefined;
    if (answers === undefined || order === undefined) return;
    const alive = new Map([...answers].filter(([socket]) => !socket.destroyed));
    this.#engine.shed(chooseConnections(alive, order));
    this.#timer = setTimeout(() => this.#engine.shed([]), CHOICE_LASTS_MS).unref();
  }
}

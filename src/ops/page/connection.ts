import { find, setText } from "./dom.ts";
import { formatSpan } from "./format.ts";

/** How the page and the server get on. */
export type Link = "live" | "lost" | "paused";

/** Shows whether the data is of now, and greys it when it is not. */
export class Connection {
  #link: Link = "live";
  #answeredAtMs: number | undefined;
  #problem = "";

  answered(): void {
    this.#answeredAtMs = performance.now();
    if (this.#link === "lost") setText(find("news"), "The server answers again.");
    this.#enter("live");
  }

  failed(problem: string): void {
    this.#problem = problem;
    if (this.#link !== "lost") setText(find("news"), "The server does not answer.");
    this.#enter("lost");
  }

  paused(): void {
    this.#enter("paused");
  }

  /** Brings the time since the last answer up to date. */
  tick(): void {
    const text = { live: this.#describeLive(), lost: "No answer", paused: "Paused" }[this.#link];
    setText(find("link-text"), text);
    find("link").dataset["tone"] = { live: "good", lost: "bad", paused: "idle" }[this.#link];
    setText(find("trouble"), this.#describeTrouble());
    find("trouble").hidden = this.#link === "live";
  }

  #enter(link: Link): void {
    this.#link = link;
    document.body.classList.toggle("stale", link !== "live");
    this.tick();
  }

  #describeLive(): string {
    return this.#answeredAtMs === undefined ? "Connecting" : "Live";
  }

  #describeTrouble(): string {
    const age = this.#answeredAtMs && (performance.now() - this.#answeredAtMs) / 1000;
    const old = age === undefined ? "" : ` What is shown is ${formatSpan(age)} old.`;
    if (this.#link === "paused") return `Paused.${old}`;
    return `No answer from the server: ${this.#problem}.${old} It is asked again every second.`;
  }
}

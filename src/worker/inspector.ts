import { close, url } from "node:inspector";

/** Why our stack cannot be read from outside, should our loop be blocked; undefined when it can. */
export function whyUnreadable(): string | undefined {
  if (process.listenerCount("SIGUSR1") > 0) return "the app handles SIGUSR1 itself";
  return url() === undefined ? undefined : "its inspector is open already";
}

/** Closes the inspector once what the loop still has to do for its opening is done. */
export function closeInspector(): void {
  setImmediate(close);
}

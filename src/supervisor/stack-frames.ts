import { fileURLToPath } from "node:url";

/** Frames that are told of at most. */
const MOST_FRAMES = 10;
/** A module may be a `data:` URL. */
const LONGEST_PLACE = 300;

/**
 * Reads the frames of a `Debugger.paused` message as Node writes them: `function (file:line:column)`.
 * Node's own inner frames are left out, but for the innermost one.
 *
 * @param places URLs of scripts by their id.
 */
export function formatFrames(
  message: unknown,
  places: ReadonlyMap<string, string>,
): readonly string[] {
  const frames = framesOf(message).map((frame) => ({ ...frame, place: placeOf(frame, places) }));
  return frames
    .filter(({ place }, index) => index === 0 || !place.startsWith("node:internal/"))
    .slice(0, MOST_FRAMES)
    .map(({ name, place, line, column }) => `${name} (${place}:${line}:${column})`);
}

interface Frame {
  readonly name: string;
  readonly script: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

function framesOf(message: unknown): readonly Frame[] {
  const frames = field(field(message, "params"), "callFrames");
  return Array.isArray(frames) ? frames.map(toFrame) : [];
}

function toFrame(frame: unknown): Frame {
  const location = field(frame, "location");
  return {
    name: textIn(frame, "functionName") || "(anonymous)",
    script: textIn(location, "scriptId"),
    line: Number(field(location, "lineNumber")) + 1,
    column: Number(field(location, "columnNumber") ?? 0) + 1,
  };
}

function placeOf({ script }: Frame, places: ReadonlyMap<string, string>): string {
  const url = places.get(script) ?? "";
  if (url === "") return `script ${script}`;
  return toPath(url).slice(0, LONGEST_PLACE);
}

/** An app may name its scripts as it likes, also by what is no URL. */
function toPath(url: string): string {
  if (!url.startsWith("file:")) return url;
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}

function textIn(value: unknown, name: string): string {
  const text = field(value, name);
  return typeof text === "string" ? text : "";
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

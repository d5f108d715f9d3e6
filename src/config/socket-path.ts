import { dirname, join, resolve } from "node:path";
import { TEMPORARY_NAME_BYTES } from "../listener/private-name-parts.ts";
import { ValueError } from "./value-error.ts";

/** The kernel's `sun_path` holds 108 bytes, the closing NUL among them; nginx has the same limit. */
export const LONGEST_PATH_BYTES = 107;

/** Checks the path of a Unix socket and makes it absolute. */
export function parseSocketPath(text: string, cwd: string): string {
  refuseWrongForm(text);
  const path = resolve(cwd, text);
  checkLength(text, "the path", path);
  checkLength(text, "its temporary name", join(dirname(path), "-".repeat(TEMPORARY_NAME_BYTES)));
  return path;
}

/** Writes a path so that no part of it can be taken for the options of an endpoint: `?` becomes `%3F`. */
export function escapePath(path: string): string {
  return path.replaceAll(/%(?=3f|25)/gi, "%25").replaceAll("?", "%3F");
}

/** The inverse of `escapePath`; any other `%` stands for itself. */
export function unescapePath(text: string): string {
  return text.replaceAll(/%(3f|25)/gi, (_, code: string) => (code === "25" ? "%" : "?"));
}

/** Checks the name of a Linux abstract socket, given without its `@`. */
export function parseAbstractName(text: string): string {
  if (text === "") throw refuse(`@${text}`, "expected a name after the @, such as @app");
  if (/\p{Cc}/u.test(text)) throw refuse(`@${text}`, "the name holds a control character");
  checkLength(`@${text}`, "the name", text);
  return text;
}

function refuseWrongForm(text: string): void {
  if (text === "")
    throw refuse(text, "the path is missing: expected a path such as /run/app/app.sock");
  if (/\p{Cc}/u.test(text))
    throw refuse(text, "the path holds a line break, a NUL or another control character");
  if (text.trim() !== text) throw refuse(text, "the path begins or ends with white space");
  if (text.startsWith("~")) throw refuse(text, "~ means nothing here: expected the whole path");
  if (text.startsWith("@"))
    throw refuse(text, `an abstract socket is written without unix: as "${text}"`);
  if (/(?:^|\/)\.{0,2}$/.test(text))
    throw refuse(text, "this names a folder: expected the path of a socket in it");
}

function checkLength(text: string, what: string, path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= LONGEST_PATH_BYTES) return;
  throw refuse(text, `${what} is ${bytes} bytes long: expected at most ${LONGEST_PATH_BYTES}`);
}

function refuse(text: string, reason: string): ValueError {
  return new ValueError(text, reason, "ERR_ENDPOINT");
}

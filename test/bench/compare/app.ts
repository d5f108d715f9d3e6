/** The app every Node server of the comparison runs; `wsgi.py` is the same for gunicorn. */
import { openSync, writeSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { noteFile } from "./notes.ts";

const WORK_MS = 20;

const notes = openSync(noteFile(process.env["COMPARE_NOTES"] ?? "/tmp", process.pid), "a");

/** Answers with the id in the path and the bytes of the body, a little later; notes begin and end of the work. */
export default function app(request: IncomingMessage, response: ServerResponse): void {
  const id = request.url?.slice(1) ?? "";
  writeSync(notes, `+${id}\n`);
  let bytes = 0;
  request.on("data", (chunk: Buffer) => (bytes += chunk.length));
  request.on("end", () => setTimeout(() => response.end(`${id} ${bytes}\n`), WORK_MS));
  response.on("finish", () => writeSync(notes, `-${id}\n`));
}

import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";

/**
 * Answers a stream with a head and nothing else, unless its client has taken it back. With a reset in the
 * same packet a stream comes to us closed, and not destroyed yet; to answer it would throw.
 */
export function answerStream(stream: ServerHttp2Stream, head: OutgoingHttpHeaders): void {
  stream.on("error", () => {});
  if (!stream.closed && !stream.destroyed) stream.respond(head, { endStream: true });
}

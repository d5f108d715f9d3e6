import type { Socket } from "node:net";

export interface FirstBytesOptions<Verdict> {
  /** Judges all that has come so far; undefined wants more. */
  readonly judge: (bytes: Buffer) => Verdict | undefined;
  /** Told the verdict, and by which bytes; they are back in the socket. */
  readonly decided: (verdict: Verdict, bytes: Buffer) => void;
}

/**
 * Looks at what a connection begins with, and takes nothing away; a peer that ends before is hung up
 * on. Returns what ends the look.
 */
export function lookAtFirstBytes<Verdict>(
  socket: Socket,
  { judge, decided }: FirstBytesOptions<Verdict>,
): () => void {
  let before: Buffer | undefined;
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    const bytes = before === undefined ? chunk : Buffer.concat([before, chunk]);
    const verdict = judge(bytes);
    if (verdict === undefined) {
      before = bytes;
      return;
    }
    stop();
    socket.unshift(bytes);
    decided(verdict, bytes);
  };
  const onEnd = (): void => void socket.destroy();
  const onError = (): void => void socket.destroy();
  const stop = (): void =>
    void socket.off("readable", onReadable).off("end", onEnd).off("error", onError);
  socket.on("readable", onReadable).on("end", onEnd).on("error", onError);
  return stop;
}

import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { HttpVersions } from "../config/config.ts";
import type { EngineOptions, HttpEngine } from "./engine.ts";
import { lookAtFirstBytes } from "./first-bytes.ts";
import { createHttp2Engine } from "./http2.ts";
import { createNodeEngine } from "./node.ts";
import { isPreface, moveConnection } from "./preface.ts";
import { REQUEST_TIMEOUT, WRONG_VERSION } from "./refusal.ts";
import { readRequestLine } from "./request-line.ts";
import { Refuser } from "./refuser.ts";

const ALPN: Readonly<Record<HttpVersions, readonly string[]>> = {
  auto: ["h2", "http/1.1"],
  "1": ["http/1.1"],
  "2": ["h2"],
};

/** What ALPN offers to clients, the one we prefer first. */
export function alpnProtocols(versions: HttpVersions): readonly string[] {
  return ALPN[versions];
}

/**
 * Serves the versions of HTTP that an endpoint speaks: by ALPN through TLS, by the first bytes in plain
 * text. Where both are spoken the parser of HTTP/1.1 has every connection first: it knows the preface of
 * HTTP/2, and to look at the bytes before it would cost a new connection a fifth.
 */
export function createEngine(versions: HttpVersions, options: EngineOptions): HttpEngine {
  const first = createNodeEngine(options, versions === "auto" ? passOn : undefined);
  if (versions === "1") return first;
  /** Most endpoints never see such a connection. */
  let second: HttpEngine | undefined;
  let isClosing = false;
  const refuser = new Refuser(options.events);

  function serveSecond(socket: Socket): void {
    if (second === undefined) {
      second = createHttp2Engine(options);
      if (isClosing) second.announceClose();
    }
    second.serve(socket);
  }

  function passOn(socket: Socket, bytes: Buffer): void {
    const successor = moveConnection(socket);
    if (options.events.succeeded(socket, successor)) {
      successor.unshift(bytes);
      serveSecond(successor);
    } else {
      successor.destroy();
    }
    socket.destroy();
  }

  function serveByBytes(socket: Socket): void {
    const { headersTimeoutMs } = options.http;
    const stop = lookAtFirstBytes(socket, { judge, decided });
    const timer = headersTimeoutMs === 0 ? undefined : setTimeout(giveUp, headersTimeoutMs).unref();
    socket.once("close", forget);

    function forget(): void {
      clearTimeout(timer);
    }
    function decided(verdict: "1" | "2" | "check", bytes: Buffer): void {
      clearTimeout(timer);
      socket.off("close", forget);
      if (verdict === "2") serveSecond(socket);
      else if (verdict === "check") first.serve(socket);
      else
        refuser.refuseConnection(WRONG_VERSION, socket, {
          line: readRequestLine(bytes.toString("latin1")),
        });
    }
    function giveUp(): void {
      stop();
      refuser.refuseConnection(REQUEST_TIMEOUT, socket);
    }
  }

  const checkLine = `GET ${options.checkTarget} HTTP/1.1\r\n`;

  function judge(bytes: Buffer): "1" | "2" | "check" | undefined {
    const isSecond = isPreface(bytes);
    if (isSecond !== false) return isSecond && "2";
    const begin = bytes.toString("latin1", 0, checkLine.length);
    if (begin === checkLine) return "check";
    return checkLine.startsWith(begin) ? undefined : "1";
  }

  return {
    serve(socket: Socket) {
      if (!(socket instanceof TLSSocket)) {
        if (versions === "auto") first.serve(socket);
        else serveByBytes(socket);
      } else if (socket.alpnProtocol === "h2") serveSecond(socket);
      else if (versions === "2") refuser.refuseConnection(WRONG_VERSION, socket);
      else first.serve(socket);
    },
    announceClose() {
      isClosing = true;
      first.announceClose();
      second?.announceClose();
    },
    shed(chosen: Iterable<Socket>) {
      const all = [...chosen];
      first.shed(all);
      second?.shed(all);
    },
    closeIdleConnections() {
      first.closeIdleConnections();
      second?.closeIdleConnections();
    },
    close() {
      first.close();
      second?.close();
    },
  };
}

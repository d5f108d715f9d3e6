import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { describe, it } from "node:test";
import { BehindResponses } from "../../src/http/behind-responses.ts";

/** A connection with a response under way. */
function answering(isWhole = true): { readonly socket: Socket; readonly response: ServerResponse } {
  const socket = new Socket();
  const request = new IncomingMessage(socket);
  request.complete = isWhole;
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  return { socket, response };
}

describe("BehindResponses", () => {
  it("answers at once where no response is under way", () => {
    let answers = 0;
    new BehindResponses().run(new Socket(), () => (answers += 1));
    assert.equal(answers, 1);
  });

  it("waits for the response that is under way", () => {
    const behind = new BehindResponses();
    const { socket, response } = answering();
    let answers = 0;
    behind.run(socket, () => (answers += 1));
    assert.deepEqual([answers, behind.isWaiting(socket)], [0, true]);
    response.detachSocket(socket);
    response.emit("close");
    assert.equal(answers, 1);
  });

  it("does not wait for the response to a request that is not whole, which may never come", () => {
    const behind = new BehindResponses();
    const { socket } = answering(false);
    let answers = 0;
    behind.run(socket, () => (answers += 1));
    assert.deepEqual([answers, behind.isWaiting(socket)], [1, false]);
  });

  it("does not wait any more once the connection has closed", () => {
    const { socket, response } = answering();
    let answers = 0;
    new BehindResponses().run(socket, () => (answers += 1));
    socket.destroy();
    response.emit("close");
    assert.equal(answers, 1);
  });
});

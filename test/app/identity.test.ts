import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { createTrustedProxies } from "../../src/app/forwarded.ts";
import { beginRequest, peerOf, showClients } from "../../src/app/identity.ts";

interface FakeSocket {
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly remoteFamily?: string;
  readonly encrypted?: boolean;
}

function requestOn(socket: FakeSocket, ...rawHeaders: string[]): IncomingMessage {
  return { socket, rawHeaders } as unknown as IncomingMessage;
}

function begin(socket: FakeSocket, ...rawHeaders: string[]): void {
  beginRequest(requestOn(socket, ...rawHeaders), false);
}

function seen({ remoteAddress, remotePort, remoteFamily, encrypted }: FakeSocket): unknown[] {
  return [remoteAddress, remotePort, remoteFamily, encrypted];
}

const UNIX = createTrustedProxies(["unix"]);
const NAMED = ["X-Forwarded-For", "2001:db8::1", "X-Forwarded-Proto", "https"];

describe("showClients", () => {
  it("shows the client of each request in turn", () => {
    const socket: FakeSocket = {};
    showClients(socket, UNIX);
    begin(socket, ...NAMED);
    assert.deepEqual(seen(socket), ["2001:db8::1", undefined, "IPv6", true]);
    assert.deepEqual(seen(socket), ["2001:db8::1", undefined, "IPv6", true]);
    begin(socket, "Forwarded", 'for="203.0.113.7:4711"');
    assert.deepEqual(seen(socket), ["203.0.113.7", 4711, "IPv4", undefined]);
  });

  it("shows nobody where nobody is named, least of all the client before", () => {
    const socket: FakeSocket = {};
    showClients(socket, UNIX);
    assert.deepEqual(seen(socket), [undefined, undefined, undefined, undefined]);
    begin(socket, ...NAMED);
    assert.equal(socket.remoteAddress, "2001:db8::1");
    begin(socket);
    assert.deepEqual(seen(socket), [undefined, undefined, undefined, undefined]);
  });

  it("leaves the connection of a peer that is not trusted as it is", () => {
    const socket: FakeSocket = { remoteAddress: "192.0.2.1", remotePort: 7, remoteFamily: "IPv4" };
    const before = { ...socket };
    showClients(socket, UNIX);
    begin(socket, ...NAMED);
    assert.deepEqual(
      Object.getOwnPropertyDescriptors(socket),
      Object.getOwnPropertyDescriptors(before),
    );
  });

  it("names nobody any more once requests of several clients may be open", () => {
    const socket: FakeSocket = {};
    showClients(socket, UNIX);
    begin(socket, ...NAMED);
    beginRequest(requestOn(socket, "X-Forwarded-For", "203.0.113.9"), true);
    assert.deepEqual(seen(socket), [undefined, undefined, undefined, undefined]);
    begin(socket, ...NAMED);
    assert.equal(socket.remoteAddress, undefined);
  });

  it("does not take the encryption from a connection that has it", () => {
    const socket: FakeSocket = { encrypted: true };
    showClients(socket, UNIX);
    begin(socket, "X-Forwarded-Proto", "http");
    assert.equal(socket.encrypted, true);
  });

  it("keeps in mind who is really there", () => {
    const socket: FakeSocket = { remoteAddress: "10.0.0.1", remotePort: 7 };
    showClients(socket, createTrustedProxies(["10.0.0.0/8"]));
    begin(socket, ...NAMED);
    assert.equal(socket.remoteAddress, "2001:db8::1");
    assert.deepEqual(peerOf(socket), { remoteAddress: "10.0.0.1", remotePort: 7 });
    begin(socket);
    assert.deepEqual(seen(socket), ["10.0.0.1", 7, "IPv4", undefined]);
  });
});

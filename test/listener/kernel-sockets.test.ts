import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findSocket, NO_TABLES } from "../../src/listener/kernel-sockets.ts";

const UNIX = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 101 /run/a b.sock
0000000000000000: 00000002 00000000 00010000 0001 01 102 @web
0000000000000000: 00000003 00000000 00000000 0001 03 103 /run/a b.sock
0000000000000000: 00000002 00000000 00000000 0001 01 104 /run/bound.sock
0000000000000000: 00000002 00000000 00000000 0002 01 105 /run/notify
0000000000000000: 00000002 00000000 00010000 0005 01 106 /run/seq
0000000000000000: 00000003 00000000 00000000 0001 03 107
`;
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 201 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 202 1 0 20 4 30 10 -1
`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 301 1 0 100 0 0 10 0
   1: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 302 1 0 100 0 0 10 0
   2: B80D0120000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 303 1 0 100 0 0 10 0
`;
const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  401: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 401 2 0 0
`;
const TABLES = { ...NO_TABLES, unix: UNIX, tcp: TCP, tcp6: TCP6, udp: UDP };

describe("findSocket", () => {
  const cases: [string, ReturnType<typeof findSocket>][] = [
    ["101", { state: "listening", bound: { kind: "unix", path: "/run/a b.sock" } }],
    ["102", { state: "listening", bound: { kind: "abstract", abstractName: "web" } }],
    ["103", { state: "connected" }],
    ["104", { state: "idle" }],
    ["105", { state: "packets" }],
    ["106", { state: "packets" }],
    ["107", { state: "connected" }],
    ["201", { state: "listening", bound: { kind: "tcp", host: "127.0.0.1", port: 8080 } }],
    ["202", { state: "connected" }],
    ["301", { state: "listening", bound: { kind: "tcp", host: "::1", port: 80 } }],
    ["302", { state: "listening", bound: { kind: "tcp", host: "::", port: 8080 } }],
    ["303", { state: "listening", bound: { kind: "tcp", host: "2001:db8::1", port: 8080 } }],
    ["401", { state: "packets" }],
    ["999", undefined],
  ];
  for (const [inode, found] of cases) {
    it(`says of inode ${inode}: ${JSON.stringify(found)}`, () => {
      assert.deepEqual(findSocket(TABLES, inode), found);
    });
  }
});

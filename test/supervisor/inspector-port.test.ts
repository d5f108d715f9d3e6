import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listeningPort } from "../../src/supervisor/inspector-port.ts";

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1111 1 0000000000000000 100 0 0 10 0
   1: 0100007F:B637 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2222 1 0000000000000000 100 0 0 10 0
   2: 0100007F:B637 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 3333 1 0000000000000000 20 4 30 10 -1
`;

describe("listeningPort", () => {
  for (const [what, inodes, port] of [
    ["finds the one of a socket that listens", ["2222"], 0xb637],
    ["takes no socket that is connected", ["3333"], undefined],
    ["takes no socket of somebody else", ["9999"], undefined],
  ] as const) {
    it(what, () => assert.equal(listeningPort(TABLE, new Set(inodes)), port));
  }
});

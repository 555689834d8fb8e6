import assert from "node:assert/strict";
import { makeRoom } from "../../../src/core/make_room.ts";

Deno.test("makeRoom() drops the oldest entries, until one more leaves the map at its capacity", () => {
  const map = new Map([["a", 1], ["b", 2], ["c", 3]]);
  makeRoom(map, 4);
  assert.equal(map.size, 3);
  makeRoom(map, 2);
  assert.deepEqual([...map.keys()], ["c"]);
});

Deno.test("makeRoom() empties a map that may hold nothing", () => {
  const map = new Map([["a", 1]]);
  makeRoom(map, 0);
  assert.equal(map.size, 0);
});

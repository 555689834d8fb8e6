/** Hundreds of clients that send or read next to nothing, at a running service. */
import assert from "node:assert/strict";
import { assertWarm, withDegradation } from "../../support/degradation_world.ts";

/** Of each kind. */
const CLIENTS = 200;
const CONNECTIONS = { HEADER_TIMEOUT: "2s", IDLE_TIMEOUT: "4s" };
/** Sockets that the service may open or close for itself meanwhile. */
const SOCKET_SLACK = 10;
/** What all clients together may leave behind. KiB. */
const MEMORY_SLACK_KIB = 96 * 1024;
/** How long a busy machine may need to cut them. Milliseconds. */
const CUT_DEADLINE_MS = 60_000;

Deno.test("clients that send no header, never end one, or never read are cut while others are served", async () => {
  await withDegradation(async (world) => {
    const { pid, origin } = world.service;
    await assertWarm(world);
    const before = { sockets: countSockets(pid), kib: readResidentKib(pid) };
    const port = Number(new URL(origin).port);
    const header = `GET ${world.warmPath} HTTP/1.1\r\nhost: x\r\n`;
    const clients: Promise<void>[] = [];
    for (let index = 0; index < CLIENTS; index++) {
      clients.push(
        stayConnected(port, { first: "", again: "" }),
        stayConnected(port, { first: header, again: "x-slow: 1\r\n" }),
        stayConnected(port, { first: `${header}\r\n`.repeat(20), again: "G" }),
      );
    }
    for (let count = 0; count < 20; count++) await assertWarm(world);
    // The service ends them: none of these clients closes by itself.
    const deadline = performance.now() + CUT_DEADLINE_MS;
    for (let left = Infinity; left > SOCKET_SLACK;) {
      assert.ok(performance.now() < deadline, `${left} sockets are left`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      left = countSockets(pid) - before.sockets;
    }
    await Promise.all(clients);
    await assertWarm(world);
    const grownKib = readResidentKib(pid) - before.kib;
    assert.ok(grownKib < MEMORY_SLACK_KIB, `memory grew by ${grownKib} KiB`);
  }, CONNECTIONS);
});

/**
 * Connects, sends `first`, then `again` for as long as the connection lasts, and reads nothing. With
 * nothing to send it has to read to notice the end.
 */
async function stayConnected(
  port: number,
  { first, again }: { first: string; again: string },
): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const encoder = new TextEncoder();
  try {
    if (again === "") return void await connection.read(new Uint8Array(1));
    await connection.write(encoder.encode(first));
    for (;;) {
      await connection.write(encoder.encode(again));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } catch { /* the connection was cut */ }
}

function countSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return [...Deno.readDirSync(folder)].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`${folder}/${name}`).startsWith("socket:");
    } catch {
      // It was closed meanwhile.
      return false;
    }
  }).length;
}

function readResidentKib(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
}

/** Clients that hold their connection by sending or reading next to nothing. */

const KINDS = ["headers", "body", "reading"] as const;

/** Running clients. */
export interface SlowClients {
  /** How many of each kind the service has not cut off. */
  connected(): Readonly<Record<string, number>>;
  close(): void;
}

/** Connects `count` clients: headers that never end, bodies that never end, replies nobody reads. */
export async function startSlowClients(
  origin: string,
  options: { readonly count: number; readonly path: string; readonly adminKey: string },
): Promise<SlowClients> {
  const { hostname, port } = new URL(origin);
  const encoder = new TextEncoder();
  const opening: Readonly<Record<(typeof KINDS)[number], string>> = {
    headers: `GET ${options.path} HTTP/1.1\r\nhost: x\r\n`,
    body: "POST /v1/assets HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n" +
      `authorization: Bearer ${options.adminKey}\r\n\r\n`,
    // Enough replies to fill every buffer on the way.
    reading: `GET ${options.path} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(100),
  };
  const alive = new Map<Deno.TcpConn, (typeof KINDS)[number]>();
  for (let index = 0; index < options.count; index++) {
    const kind = KINDS[index % KINDS.length];
    const connection = await Deno.connect({ hostname, port: Number(port) });
    alive.set(connection, kind);
    connection.write(encoder.encode(opening[kind])).catch(() => drop(connection));
    if (kind !== "reading") watch(connection);
  }
  const timer = setInterval(() => {
    for (const [connection, kind] of alive) {
      // Who reads nothing notices only when writing that the connection was cut.
      const bit = { headers: "x-slow: 1\r\n", body: "x", reading: "G" }[kind];
      connection.write(encoder.encode(bit)).catch(() => drop(connection));
    }
  }, 1_000);

  function drop(connection: Deno.TcpConn): void {
    if (!alive.delete(connection)) return;
    try {
      connection.close();
    } catch { /* closed already */ }
  }

  async function watch(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(4096);
    try {
      while (await connection.read(buffer) !== null);
    } catch { /* the service has cut it off */ }
    drop(connection);
  }

  return {
    connected: () =>
      Object.fromEntries(
        KINDS.map((kind) => [kind, [...alive.values()].filter((each) => each === kind).length]),
      ),
    close() {
      clearInterval(timer);
      for (const connection of [...alive.keys()]) drop(connection);
    },
  };
}

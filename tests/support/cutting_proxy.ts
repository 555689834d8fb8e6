/** A TCP proxy that cuts connections on purpose, as bad networks do. */
export interface CuttingProxy extends AsyncDisposable {
  readonly port: number;
  /** How many connections were cut so far. */
  readonly cuts: number;
}

/** Where connections go and when they are cut. */
export interface CuttingProxyOptions {
  /** The port to forward to, asked anew for each connection. */
  readonly target: () => number;
  /** One entry for each coming cut: after so many bytes from the client over the connection. */
  readonly cutAfterBytes: number[];
}

/** Starts a proxy on a free port. */
export function startCuttingProxy(options: CuttingProxyOptions): CuttingProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const running = new Set<Promise<void>>();
  let cuts = 0;

  async function serve(client: Deno.TcpConn): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: options.target() });
    let seen = 0;
    const upward = pump(client, server, (bytes) => {
      seen += bytes;
      const limit = options.cutAfterBytes[0];
      if (limit === undefined || seen < limit) return true;
      options.cutAfterBytes.shift();
      cuts++;
      return false;
    });
    const downward = pump(server, client, () => true);
    await Promise.race([upward, downward]);
    for (const connection of [client, server]) close(connection);
    await Promise.all([upward, downward]);
  }

  const accepting = (async () => {
    for await (const client of listener) {
      const work: Promise<void> = serve(client as Deno.TcpConn).catch(() => close(client))
        .finally(() => running.delete(work));
      running.add(work);
    }
  })().catch(() => {});
  return {
    port: listener.addr.port,
    get cuts() {
      return cuts;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.race([
        Promise.all(running),
        new Promise((resolve) => setTimeout(resolve, 2_000)),
      ]);
    },
  };
}

/** Copies until an end, an error, or until `goOn` says no. */
async function pump(
  from: Deno.Conn,
  to: Deno.Conn,
  goOn: (bytes: number) => boolean,
): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  try {
    for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
      for (let sent = 0; sent < n;) sent += await to.write(buffer.subarray(sent, n));
      if (!goOn(n)) return;
    }
  } catch {
    // Either side is gone.
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}

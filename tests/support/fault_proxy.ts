/** A TCP proxy that can lose connections, keep silent or delay, in front of any server. */

/** What the proxy does with bytes at the moment. */
export type ProxyMode = "pass" | "silent" | "refuse";

/** A running proxy on a loopback port. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** `silent` swallows what clients send and accepts new ones; `refuse` closes new ones at once. */
  setMode(mode: ProxyMode): void;
  /** Passes bytes on, both ways, so much later than they came. Milliseconds. */
  setDelay(delayMs: number): void;
  /** Closes every connection that is open now. */
  cutAll(): void;
  /** Closes the connection over which `pattern` is sent next, after or instead of passing it on. */
  cutOn(pattern: string, when: "after" | "instead"): void;
}

/** Starts a proxy to `port` on the loopback interface. */
export function startFaultProxy(targetPort: number): FaultProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  const muted = new WeakSet<Deno.TcpConn>();
  const decoder = new TextDecoder("latin1");
  let mode = "pass" as ProxyMode;
  let delayMs = 0;
  let cut: { pattern: string; when: "after" | "instead" } | null = null;

  async function forward(from: Deno.TcpConn, to: Deno.TcpConn, isRequest: boolean) {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
        const bytes = buffer.slice(0, read);
        if (isRequest && cut && decoder.decode(bytes).includes(cut.pattern)) {
          const { when } = cut;
          cut = null;
          if (when === "after") {
            muted.add(to);
            await writeAll(to, bytes);
            // The server gets to work; its answer finds nobody.
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
          break;
        }
        if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
        if (mode !== "silent" && !muted.has(from)) await writeAll(to, bytes);
      }
    } catch { /* the other side is gone */ }
    drop(from);
    drop(to);
  }

  function drop(connection: Deno.TcpConn): void {
    if (!open.delete(connection)) return;
    connection.close();
  }

  const accepting = (async () => {
    for await (const client of listener) {
      if (mode === "refuse") {
        client.close();
        continue;
      }
      open.add(client);
      try {
        const server = await Deno.connect({ hostname: "127.0.0.1", port: targetPort });
        open.add(server);
        forward(client, server, true);
        forward(server, client, false);
      } catch {
        drop(client);
      }
    }
  })();

  return {
    port: (listener.addr as Deno.NetAddr).port,
    setMode(next) {
      mode = next;
    },
    setDelay(nextMs) {
      delayMs = nextMs;
    },
    cutAll() {
      for (const connection of [...open]) drop(connection);
    },
    cutOn(pattern, when) {
      cut = { pattern, when };
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of [...open]) drop(connection);
      await accepting;
    },
  };
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
}

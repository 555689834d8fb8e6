// deno-lint-ignore-file no-console -- it says where it listens
/**
 * ipx over the files of one folder, with its defaults and no cache: the other side of `ipx.ts`.
 *
 *     deno run -A bench/ipx_server.ts FOLDER
 */
import { createIPX, createIPXWebServer, ipxFSStorage } from "ipx";

const handle = createIPXWebServer(createIPX({ storage: ipxFSStorage({ dir: Deno.args[0] }) }));
Deno.serve({
  port: 0,
  hostname: "127.0.0.1",
  onListen: ({ port }) => console.log(`listens on http://127.0.0.1:${port}`),
}, (request) => handle(request));

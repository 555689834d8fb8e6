/**
 * A process that reconciles on the real adapters, slowly, so that tests can kill it in between. The
 * settings are JSON in its first argument.
 */
import { createDiskObjectStore } from "../../../src/adapters/disk/disk_object_store.ts";
import { createDatabase } from "../../../src/adapters/postgres/database.ts";
import { createPostgresReconciler } from "../../support/postgres_reconciler.ts";

const { databaseUrl, root } = JSON.parse(Deno.args[0]) as { databaseUrl: string; root: string };
const database = createDatabase({ url: databaseUrl, poolSize: 2 });
const objects = createDiskObjectStore({ root });
const reconciler = createPostgresReconciler(database, {
  objects: {
    ...objects,
    async *list(prefix, options) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      yield* objects.list(prefix, options);
    },
  },
  limits: { graceMs: 0 },
  reportFailure: () => {},
});
const { done } = await reconciler.start({ repair: true, requestedBy: "child" });
await done;
await database.close();

/**
 * A process that reconciles on the real adapters, slowly, so that tests can kill it in between. The
 * settings are JSON in its first argument.
 */
import { createDiskObjectStore } from "../../../src/adapters/disk/disk_object_store.ts";
import { createDatabase } from "../../../src/adapters/postgres/database.ts";
import { createJobLeases } from "../../../src/adapters/postgres/job_leases.ts";
import { createReconcileCatalog } from "../../../src/adapters/postgres/reconcile_catalog.ts";
import { createReconcileRecords } from "../../../src/adapters/postgres/reconcile_records.ts";
import { createReconciler, DEFAULT_RECONCILE_LIMITS } from "../../../src/reconcile/reconciler.ts";

const { databaseUrl, root } = JSON.parse(Deno.args[0]) as { databaseUrl: string; root: string };
const database = createDatabase({ url: databaseUrl, poolSize: 2 });
const objects = createDiskObjectStore({ root });
const reconciler = createReconciler({
  catalog: createReconcileCatalog(database),
  records: createReconcileRecords(database),
  objects: {
    ...objects,
    async *list(prefix, options) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      yield* objects.list(prefix, options);
    },
  },
  leases: createJobLeases(database),
  limits: { ...DEFAULT_RECONCILE_LIMITS, graceMs: 0 },
  newId: () => crypto.randomUUID(),
  monotonicMs: () => performance.now(),
  random: Math.random,
  reportFailure: () => {},
});
const { done } = await reconciler.start({ repair: true, requestedBy: "child" });
await done;
await database.close();

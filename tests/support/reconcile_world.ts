/** Reconciliation on real parts: a database, a folder, the adapters of production. */
import { createHash } from "node:crypto";
import { createDiskObjectStore } from "../../src/adapters/disk/disk_object_store.ts";
import type { Database } from "../../src/adapters/postgres/database.ts";
import type { AssetState } from "../../src/core/asset_state.ts";
import type { ContentHash } from "../../src/core/content_hash.ts";
import { formatRawKey } from "../../src/core/object_keys.ts";
import type { ObjectStore } from "../../src/core/object_store.ts";
import type { ReconcileLimits, RunRecord } from "../../src/reconcile/ports.ts";
import type { Reconciler, RunRequest } from "../../src/reconcile/reconciler.ts";
import { createPostgresReconciler } from "./postgres_reconciler.ts";
import { openTestDatabase } from "./test_database.ts";

/** A database and a store to reconcile. */
export interface ReconcileWorld extends AsyncDisposable {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly reports: string[];
  /** An instance; what is not given is real. */
  create(options?: { limits?: Partial<ReconcileLimits>; objects?: ObjectStore }): Reconciler;
  /** Runs to the end, over the one shard unless told otherwise. */
  run(
    request?: Partial<RunRequest>,
    options?: { limits?: Partial<ReconcileLimits>; objects?: ObjectStore },
  ): Promise<RunRecord>;
  /** A row as uploads leave it, old enough to be looked at; its content is named `text`. */
  addRow(text: string, row?: AddedRow): Promise<ContentHash>;
  /** The object of that content, or other bytes under its key. */
  addObject(text: string, bytes?: string): Promise<void>;
  /** State and flag by hash. */
  rowOf(hash: ContentHash): Promise<{ state: AssetState; flagged: string | null } | null>;
}

/** What a row may have besides. */
export interface AddedRow {
  readonly state?: AssetState;
  readonly storageClass?: string;
  readonly flagged?: string;
  readonly restoreRequested?: boolean;
  readonly ageHours?: number;
}

/** The shard that everything is in: comparing one of 256 is enough for most tests. */
export const TEST_SHARD = 7;

/** The content that a test calls `label`: a text whose hash is in {@linkcode TEST_SHARD}. */
export function textOf(label: string): string {
  for (let nonce = 0;; nonce++) {
    const text = `${label}#${nonce}`;
    if (sha256(text).startsWith("07")) return text;
  }
}

/** SHA-256 of a content. */
export function hashText(label: string): ContentHash {
  return sha256(textOf(label));
}

function sha256(text: string): ContentHash {
  return createHash("sha256").update(text).digest("hex") as ContentHash;
}

/** No age is too young: tests need not wait. */
export const NO_GRACE: Partial<ReconcileLimits> = { graceMs: 0, scrubSamples: 0 };

/** Opens a world on the disk store and the test database of the environment. */
export async function openReconcileWorld(): Promise<ReconcileWorld> {
  const opened = await openTestDatabase({ poolSize: 5 });
  const { database } = opened;
  const root = await Deno.makeTempDir({ prefix: "facet-reconcile-" });
  const objects = createDiskObjectStore({ root });
  const reports: string[] = [];
  const reconcilers: Reconciler[] = [];

  const create: ReconcileWorld["create"] = (options = {}) => {
    const reconciler = createPostgresReconciler(database, {
      pageRows: 7,
      objects: options.objects ?? objects,
      limits: { ...NO_GRACE, ...options.limits },
      reportFailure: (event, { error }) => void reports.push(`${event}: ${error}`),
      retryPauseMs: 1,
    });
    reconcilers.push(reconciler);
    return reconciler;
  };

  return {
    database,
    objects,
    reports,
    create,
    async run(request = {}, options = {}) {
      const { done } = await create(options).start({
        requestedBy: "test",
        shard: TEST_SHARD,
        ...request,
      });
      return await done;
    },
    async addRow(text, row = {}) {
      const hash = hashText(text);
      const { state = "READY", storageClass = null, flagged = null, ageHours = 48 } = row;
      await database.write((sql) =>
        sql`
          insert into asset_portfolio (content_hash, size_bytes, state, media_type, storage_class,
            flagged, restore_requested_at, state_changed_at)
          values (decode(${hash}, 'hex'), ${
          textOf(text).length
        }, ${state}, 'text/plain', ${storageClass},
            ${flagged}, case when ${row.restoreRequested ?? false} then now() end,
            now() - ${ageHours} * interval '1 hour')`
      );
      return hash;
    },
    async addObject(text, bytes = textOf(text)) {
      await objects.put(formatRawKey(hashText(text)), new TextEncoder().encode(bytes));
    },
    async rowOf(hash) {
      const [row] = await database.read((sql) =>
        sql<{ state: AssetState; flagged: string | null }[]>`
          select state, flagged from asset_portfolio where content_hash = decode(${hash}, 'hex')`
      );
      return row ?? null;
    },
    async [Symbol.asyncDispose]() {
      for (const each of reconcilers) await each.close();
      await opened.close();
      await objects.close();
      await Deno.remove(root, { recursive: true });
    },
  };
}

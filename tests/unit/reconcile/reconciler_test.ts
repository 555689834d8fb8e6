/** The whole use case over 100,000 objects, with a catalog and a bucket that are sorted arrays. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { AssetState } from "../../../src/core/asset_state.ts";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { compareObjectKeys, formatRawKey } from "../../../src/core/object_keys.ts";
import type { ObjectInfo } from "../../../src/core/object_store.ts";
import type {
  Finding,
  ReconcileCatalog,
  ReconcileObjects,
  ReconcileRecords,
  ReconcileRow,
  RunRecord,
} from "../../../src/reconcile/ports.ts";
import { createReconciler, DEFAULT_RECONCILE_LIMITS } from "../../../src/reconcile/reconciler.ts";
import { calculateDriftRatio } from "../../../src/core/drift_ratio.ts";

const NOW_MS = Date.UTC(2026, 0, 15);
const DAY_MS = 24 * 3_600_000;
const OBJECTS = 100_000;

interface World {
  readonly rows: ReconcileRow[];
  readonly objects: ObjectInfo[];
  readonly planted: Map<string, string>;
}

/** Every thousandth asset drifts, one kind after the other; the rest agrees. */
function plant(): World {
  const rows: ReconcileRow[] = [];
  const objects: ObjectInfo[] = [];
  const planted = new Map<string, string>();
  for (let i = 0; i < OBJECTS; i++) {
    const contentHash = createHash("sha256").update(`asset ${i}`).digest("hex") as ContentHash;
    const key = formatRawKey(contentHash);
    const row = (state: AssetState, more: Partial<ReconcileRow> = {}): void => {
      rows.push({
        contentHash,
        state,
        sizeBytes: 10,
        storageClass: null,
        flagged: null,
        ageMs: 9 * DAY_MS,
        changedAtUs: 1,
        ...more,
      });
    };
    const object = (more: Partial<ObjectInfo> = {}): void => {
      const lastModifiedAt = new Date(NOW_MS - 9 * DAY_MS);
      objects.push({ key, sizeBytes: 10, lastModifiedAt, storageClass: "standard", ...more });
    };
    const kinds: Record<number, () => string | null> = {
      0: () => (row("READY"), "missing"),
      1: () => (object(), "orphan"),
      2: () => (row("READY"), object({ sizeBytes: 9 }), "size_mismatch"),
      3: () => (row("READY"), object({ storageClass: "archive" }), "archived"),
      4: () => (row("ARCHIVED", { storageClass: "archive" }), object(), "restored"),
      5: () => (row("MISSING"), object(), "back_again"),
      6: () => (row("READY", { ageMs: 5 }), null),
      7: () => (object({ lastModifiedAt: new Date(NOW_MS - 5) }), null),
      8: () => (row("UPLOADING"), object(), null),
    };
    const make = i % 1000 === 0 ? kinds[(i / 1000) % 9] : null;
    const kind = make ? make() : (row("READY"), object(), null);
    if (kind) planted.set(key, kind);
  }
  rows.sort((a, b) => compareObjectKeys(a.contentHash, b.contentHash));
  objects.sort((a, b) => compareObjectKeys(a.key, b.key));
  return { rows, objects, planted };
}

/** The items of each shard, by the two digits that name it. */
function groupByShard<T>(items: readonly T[], shardOf: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, shardOf);
}

const groups = new WeakMap<World, Map<string, ObjectInfo[]>>();

/** What a bucket lists under the prefix of a shard. */
function listed(world: World, prefix: string): readonly ObjectInfo[] {
  const grouped = groups.get(world) ??
    groupByShard(world.objects, ({ key }) => key.slice("raw/".length, "raw/ab".length));
  groups.set(world, grouped);
  return grouped.get(prefix.slice("raw/".length, -1)) ?? [];
}

async function* inPages<T>(items: readonly T[], size: number): AsyncGenerator<T[], void, void> {
  for (let at = 0; at < items.length; at += size) {
    await Promise.resolve();
    yield items.slice(at, at + size);
  }
}

/** Records in memory; the real ones are tested on Postgres. */
function createRecords() {
  const findings: Finding[] = [];
  const record = { current: null as RunRecord | null, changes: 0 };
  const records: Partial<ReconcileRecords> = {
    begin(run) {
      record.current = {
        ...run,
        status: "running",
        nextShard: run.firstShard,
        counts: null,
        error: null,
        startedAt: new Date(NOW_MS),
        finishedAt: null,
      };
      return Promise.resolve(record.current);
    },
    saveShard(_run, shard) {
      findings.push(...shard.findings);
      return Promise.resolve(true);
    },
    saveFindings: (_run, more) => Promise.resolve(void findings.push(...more)),
    end(_id, outcome) {
      record.current = { ...record.current!, ...outcome };
      return Promise.resolve(true);
    },
    find: () => Promise.resolve(record.current),
    listExpired: () => Promise.resolve([]),
  };
  return { records: records as ReconcileRecords, findings, record };
}

function build(world: World, objects: Partial<ReconcileObjects> = {}) {
  const changes: string[] = [];
  const rows = groupByShard(world.rows, (row) => row.contentHash.slice(0, 2));
  const catalog: Partial<ReconcileCatalog> = {
    nowMs: () => Promise.resolve(NOW_MS),
    pages: (shard) => inPages(rows.get(shard.toString(16).padStart(2, "0")) ?? [], 97),
    change: (_row, change) => Promise.resolve(changes.push(change.reason) > 0),
    find: (hash) => Promise.resolve(world.rows.find((row) => row.contentHash === hash) ?? null),
  };
  const bucket: Partial<ReconcileObjects> = {
    list: (prefix) => inPages(listed(world, prefix), 101),
    ...objects,
  };
  const { records, findings, record } = createRecords();
  const reconciler = createReconciler({
    catalog: catalog as ReconcileCatalog,
    objects: bucket as ReconcileObjects,
    records,
    leases: {
      acquire: (name) =>
        Promise.resolve({
          name,
          token: 1,
          renew: () => Promise.resolve(true),
          release: () => Promise.resolve(),
        }),
    },
    limits: { ...DEFAULT_RECONCILE_LIMITS, scrubSamples: 0 },
    newId: () => crypto.randomUUID(),
    monotonicMs: () => performance.now(),
    random: Math.random,
    reportFailure: () => {},
    retryPauseMs: 0,
  });
  return { reconciler, findings, record, changes };
}

Deno.test("createReconciler() finds exactly what was planted among 100,000 objects", async () => {
  const world = plant();
  const { reconciler, findings, changes } = build(world);
  const { done } = await reconciler.start({ dryRun: true, requestedBy: "test" });
  const { counts, status } = await done;
  assert.equal(status, "finished");
  const found = new Map(findings.map(({ key, kind }) => [key, kind as string]));
  assert.deepEqual([...found].sort(), [...world.planted].sort());
  assert.equal(findings.length, world.planted.size);
  assert.deepEqual(changes, []);
  assert.equal(counts!.objects, world.objects.length);
  assert.equal(calculateDriftRatio(counts!), world.planted.size / world.rows.length);
});

Deno.test("createReconciler() changes nothing when a listing fails half-way", async () => {
  const world = plant();
  let listings = 0;
  const { reconciler, findings, changes, record } = build(world, {
    async *list(prefix) {
      listings++;
      const objects = listed(world, prefix);
      yield objects.slice(0, 7);
      await Promise.resolve();
      throw new Error("connection reset");
    },
  });
  const { done } = await reconciler.start({ repair: true, requestedBy: "test" });
  await assert.rejects(done, /connection reset/);
  assert.equal(listings, 3);
  assert.deepEqual([changes, findings], [[], []]);
  assert.deepEqual([record.current!.status, record.current!.error], ["failed", "connection reset"]);
});

Deno.test("createReconciler() goes on when a listing fails once", async () => {
  const world = plant();
  let failures = 1;
  const { reconciler, findings } = build(world, {
    async *list(prefix) {
      const objects = listed(world, prefix);
      yield objects.slice(0, 7);
      await Promise.resolve();
      if (failures-- > 0) throw new Error("connection reset");
      yield objects.slice(7);
    },
  });
  const { done } = await reconciler.start({ dryRun: true, requestedBy: "test" });
  assert.equal((await done).counts!.objects, world.objects.length);
  assert.equal(findings.length, world.planted.size);
});

/** Rows of the catalog as uploads leave them, for tests that are not about uploading. */
import { createHash } from "node:crypto";
import type { AssetState } from "../../src/core/asset_state.ts";
import type { ContentHash } from "../../src/core/content_hash.ts";
import type { Database } from "../../src/adapters/postgres/database.ts";

/** A content hash that belongs to `text`. */
export function hashOf(text: string): ContentHash {
  return createHash("sha256").update(text).digest("hex") as ContentHash;
}

/** What {@linkcode seedAsset} makes. */
export interface SeedAsset {
  readonly tenant: string;
  readonly hash: ContentHash;
  readonly state?: AssetState;
  readonly mediaType?: string | null;
  readonly fileName?: string | null;
  readonly createdAt?: string;
  readonly leaseSeconds?: number;
}

/** Makes a reference and, where it is missing, its content. Returns the reference's id. */
export async function seedAsset(database: Database, seed: SeedAsset): Promise<string> {
  const id = crypto.randomUUID();
  const { state = "READY", mediaType = "image/png", fileName = null, leaseSeconds = null } = seed;
  await database.transaction(async (sql) => {
    await sql`
      insert into asset_portfolio (content_hash, size_bytes, state, media_type, width, height,
        thumb_hash, dominant_color, icc_name, lease_expires_at)
      values (decode(${seed.hash}, 'hex'), 7, ${state}, ${mediaType}, 40, 30, '\\x0102ff',
        '#00ff7f', 'Display P3', now() + ${leaseSeconds}::int * interval '1 second')
      on conflict do nothing`;
    await sql`
      insert into asset_reference (id, tenant, content_hash, file_name, created_by, created_at)
      values (${id}, ${seed.tenant}, decode(${seed.hash}, 'hex'), ${fileName}, 'key_seed',
        coalesce(${seed.createdAt ?? null}::timestamptz, now()))`;
  });
  return id;
}

import type { AssetState } from "../../core/asset_state.ts";
import { type ClaimDecision, type ClaimedRow, decideClaim } from "../../core/claim_decision.ts";
import type { ContentHash } from "../../core/content_hash.ts";
import type {
  AssetFacts,
  Attempt,
  Claim,
  ClaimRequest,
  NewReference,
  PlaceholderStore,
  UploadCatalog,
  UploadedAsset,
  Visibility,
} from "../../uploads/ports.ts";
import { chooseVisibility } from "./claim_visibility.ts";
import type { Database, Sql } from "./database.ts";

/** The content rows and references in Postgres, as uploads move them. */
export function createUploadCatalog(database: Database): UploadCatalog & PlaceholderStore {
  /** Runs `work` under the lock of the hash. */
  function locked<T>(hash: ContentHash, name: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    return database.transaction(work, { name, lockContent: hash });
  }

  return {
    claim: (request) =>
      locked(request.contentHash, "upload.claim", (sql) => claimRow(sql, request)),
    async renew({ contentHash, attemptId }, leaseMs) {
      const rows = await database.write((sql) =>
        sql`
          update asset_portfolio
          set lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
          where content_hash = decode(${contentHash}, 'hex') and attempt_id = ${attemptId}
            and state in ('UPLOADING', 'VERIFIED')
          returning 1`, { name: "upload.renew", idempotent: true });
      return rows.length === 1;
    },
    verify: (attempt, leaseMs) =>
      locked(attempt.contentHash, "upload.verify", (sql) => verifyRow(sql, attempt, leaseMs)),
    publish: (attempt, facts, reference) =>
      locked(attempt.contentHash, "upload.publish", async (sql) => {
        if (!await publishRow(sql, { attempt, facts, actor: reference.keyId })) return null;
        await insertReference(sql, attempt.contentHash, reference);
        return await findAsset(sql, reference.tenant, attempt.contentHash);
      }),
    fail: (attempt, reason) =>
      locked(
        attempt.contentHash,
        "upload.fail",
        (sql) => failRow(sql, attempt, { reason, actor: "upload" }),
      ),
    find: (tenant, hash) =>
      database.read((sql) => findAsset(sql, tenant, hash), { name: "upload.find" }),
    async savePlaceholder(hash, { thumbHash, dominantColor }) {
      await database.write((sql) =>
        sql`
          update asset_portfolio
          set thumb_hash = ${thumbHash}, dominant_color = ${dominantColor},
            updated_at = clock_timestamp()
          where content_hash = decode(${hash}, 'hex')`, {
        name: "upload.placeholder",
        idempotent: true,
      });
    },
  };
}

async function claimRow(sql: Sql, asked: ClaimRequest): Promise<Claim> {
  const row = await readRow(sql, asked.contentHash);
  const decision = decideClaim(row, asked.attemptId);
  const request = { ...asked, visibility: await chooseVisibility(sql, asked, row) };
  switch (decision.action) {
    case "wait":
      return { outcome: "busy", leaseLeftMs: decision.leaseLeftMs };
    case "refer": {
      const newReference = await insertReference(sql, request.contentHash, request);
      await openToPublic(sql, request);
      const asset = await findAsset(sql, request.tenant, request.contentHash);
      return { outcome: "known", asset: asset!, newReference };
    }
    case "insert":
      await insertRow(sql, request);
      break;
    case "reopen":
      await reopenRow(sql, request, decision);
      break;
    case "resume":
      break;
  }
  await insertReference(sql, request.contentHash, request);
  return { outcome: "claimed" };
}

interface Claimed extends ClaimRequest {
  readonly visibility: Visibility;
}

interface SeenRow extends ClaimedRow {
  readonly visibility: Visibility;
}

async function readRow(sql: Sql, hash: ContentHash): Promise<SeenRow | null> {
  const [row] = await sql<SeenRow[]>`
    select state, visibility, flagged is not null as flagged, attempt_id::text as "attemptId",
      greatest(0, coalesce(
        ceil(extract(epoch from lease_expires_at - clock_timestamp()) * 1000), 0))::int
        as "leaseLeftMs"
    from asset_portfolio where content_hash = decode(${hash}, 'hex')`;
  return row ?? null;
}

async function insertRow(sql: Sql, request: Claimed): Promise<void> {
  await sql`
    with made as (
      insert into asset_portfolio
        (content_hash, size_bytes, state, visibility, attempt_id, lease_expires_at)
      values (decode(${request.contentHash}, 'hex'), ${request.sizeBytes}, 'UPLOADING',
        ${request.visibility}, ${request.attemptId},
        clock_timestamp() + ${request.leaseMs} * interval '1 millisecond')
      returning content_hash)
    insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
    select content_hash, null, 'UPLOADING', 'uploaded', ${request.keyId}, clock_timestamp()
    from made`;
}

/** Nothing of a deleted row's visibility is left; otherwise public stays public. */
async function reopenRow(
  sql: Sql,
  request: Claimed,
  decision: Extract<ClaimDecision, { action: "reopen" }>,
): Promise<void> {
  const path: readonly AssetState[] = decision.path;
  const [before] = await sql<{ state: AssetState }[]>`
    with before as (
      select content_hash, state from asset_portfolio
      where content_hash = decode(${request.contentHash}, 'hex')
    )
    update asset_portfolio as row
    set state = 'UPLOADING', size_bytes = ${request.sizeBytes},
      visibility = case
        when row.state = 'DELETED' or ${request.visibility} = 'public' then ${request.visibility}
        else row.visibility end,
      attempt_id = ${request.attemptId},
      lease_expires_at = clock_timestamp() + ${request.leaseMs} * interval '1 millisecond',
      purged_at = null, flagged = null, storage_class = null, archived_at = null,
      restore_requested_at = null, updated_at = clock_timestamp(),
      state_changed_at = clock_timestamp()
    from before where row.content_hash = before.content_hash and row.state = before.state
    returning before.state`;
  let from = before.state;
  for (const to of path) {
    await sql`
      insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
      values (decode(${request.contentHash}, 'hex'), ${from}, ${to}, ${decision.reason},
        ${request.keyId}, clock_timestamp())`;
    from = to;
  }
}

/** @returns Whether the tenant had none. */
async function insertReference(
  sql: Sql,
  hash: ContentHash,
  reference: NewReference,
): Promise<boolean> {
  const rows = await sql`
    insert into asset_reference (id, tenant, content_hash, file_name, created_by)
    values (${reference.referenceId}, ${reference.tenant}, decode(${hash}, 'hex'),
      ${reference.fileName}, ${reference.keyId})
    on conflict (content_hash, tenant) do nothing
    returning 1`;
  return rows.length === 1;
}

/** Whoever has the bytes may publish them; nobody can take back what another published. */
async function openToPublic(sql: Sql, request: Claimed): Promise<void> {
  if (request.visibility !== "public") return;
  await sql`
    update asset_portfolio set visibility = 'public', updated_at = clock_timestamp()
    where content_hash = decode(${request.contentHash}, 'hex') and visibility <> 'public'`;
}

/** UPLOADING → VERIFIED. True too when the attempt had done so already. */
export async function verifyRow(sql: Sql, attempt: Attempt, leaseMs: number): Promise<boolean> {
  const { contentHash, attemptId } = attempt;
  const moved = await sql`
    with moved as (
      update asset_portfolio
      set state = 'VERIFIED',
        lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond',
        updated_at = clock_timestamp(), state_changed_at = clock_timestamp()
      where content_hash = decode(${contentHash}, 'hex') and state = 'UPLOADING'
        and attempt_id = ${attemptId}
      returning content_hash)
    insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
    select content_hash, 'UPLOADING', 'VERIFIED', 'object checked', 'upload', clock_timestamp()
    from moved returning 1`;
  return moved.length === 1 || await isIn(sql, attempt, "VERIFIED");
}

/** VERIFIED → READY. True too when the attempt had done so already. */
export async function publishRow(
  sql: Sql,
  { attempt, facts, actor }: { attempt: Attempt; facts: AssetFacts; actor: string },
): Promise<boolean> {
  const moved = await sql`
    with moved as (
      update asset_portfolio
      set state = 'READY', lease_expires_at = null, media_type = ${facts.mediaType},
        width = ${facts.width}, height = ${facts.height}, orientation = ${facts.orientation},
        frames = ${facts.frames}, bit_depth = ${facts.bitDepth},
        color_model = ${facts.colorModel}, has_alpha = ${facts.hasAlpha},
        icc_name = ${facts.iccName}, updated_at = clock_timestamp(),
        state_changed_at = clock_timestamp()
      where content_hash = decode(${attempt.contentHash}, 'hex') and state = 'VERIFIED'
        and attempt_id = ${attempt.attemptId}
      returning content_hash)
    insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
    select content_hash, 'VERIFIED', 'READY', 'facts recorded', ${actor}, clock_timestamp()
    from moved returning 1`;
  return moved.length === 1 || await isIn(sql, attempt, "READY");
}

/** UPLOADING|VERIFIED → FAILED. */
export async function failRow(
  sql: Sql,
  attempt: Attempt,
  { reason, actor }: { reason: string; actor: string },
): Promise<boolean> {
  const [before] = await sql<{ state: AssetState }[]>`
    select state from asset_portfolio
    where content_hash = decode(${attempt.contentHash}, 'hex') and attempt_id = ${attempt.attemptId}
      and state in ('UPLOADING', 'VERIFIED')`;
  if (before === undefined) return false;
  const moved = await sql`
    with moved as (
      update asset_portfolio
      set state = 'FAILED', lease_expires_at = null, updated_at = clock_timestamp(),
        state_changed_at = clock_timestamp()
      where content_hash = decode(${attempt.contentHash}, 'hex') and state = ${before.state}
        and attempt_id = ${attempt.attemptId}
      returning content_hash)
    insert into asset_event (content_hash, from_state, to_state, reason, actor, at)
    select content_hash, ${before.state}, 'FAILED', ${reason}, ${actor}, clock_timestamp()
    from moved returning 1`;
  return moved.length === 1;
}

/** The attempt stays on the row after READY, so that a repeated call knows its own work. */
async function isIn(sql: Sql, attempt: Attempt, state: AssetState): Promise<boolean> {
  const rows = await sql`
    select 1 from asset_portfolio
    where content_hash = decode(${attempt.contentHash}, 'hex') and state = ${state}
      and attempt_id = ${attempt.attemptId}`;
  return rows.length === 1;
}

/** A flagged object is never served: to its tenants it is missing, and to be uploaded again. */
async function findAsset(
  sql: Sql,
  tenant: string,
  hash: ContentHash,
): Promise<UploadedAsset | null> {
  const [asset] = await sql<UploadedAsset[]>`
    select reference.id as "assetId", encode(content.content_hash, 'hex') as "contentHash",
      content.size_bytes as "sizeBytes", content.visibility,
      case when content.flagged is null then content.state else 'MISSING' end as state,
      coalesce(content.media_type, 'application/octet-stream') as "mediaType",
      content.width, content.height, content.orientation, content.frames,
      content.bit_depth as "bitDepth", content.color_model as "colorModel",
      content.has_alpha as "hasAlpha", content.icc_name as "iccName",
      reference.file_name as "fileName", reference.created_at as "createdAt"
    from asset_reference as reference join asset_portfolio as content using (content_hash)
    where reference.content_hash = decode(${hash}, 'hex') and reference.tenant = ${tenant}`;
  return asset ?? null;
}

import { formatStagingKey, parseStagingKey, STAGING_PREFIX } from "../core/object_keys.ts";
import { abortUploads } from "./staging.ts";
import type { SweepObjects, SweepSessions } from "./sweep_ports.ts";

/** What the sweep of staging needs. */
export interface SweepStagingDeps {
  readonly sessions: SweepSessions;
  readonly objects: SweepObjects;
  readonly leaseMs: number;
}

/** Length of a UUID, with which every name in staging begins. */
const SESSION_ID_LENGTH = 36;

/**
 * Removes what a dead session left: multipart uploads, also one whose id was never recorded, the
 * staging object and what else lies under its name.
 *
 * @returns False when the session has come back to life.
 */
export async function sweepSession(
  deps: SweepStagingDeps,
  sessionId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const session = await deps.sessions.take(sessionId, deps.leaseMs);
  if (session === null) return false;
  const { stagingKey: key, multipartId: uploadId } = session;
  if (uploadId !== null) await deps.objects.abortMultipart({ key, uploadId }, { signal });
  await abortUploads(deps.objects, key, signal);
  await removeObjects(deps.objects, key, signal);
  await deps.sessions.forget(sessionId);
  return true;
}

async function removeObjects(
  objects: SweepObjects,
  prefix: string,
  signal: AbortSignal,
): Promise<void> {
  const keys: string[] = [];
  for await (const page of objects.list(prefix, { signal })) {
    keys.push(...page.map((each) => each.key));
  }
  // One of them may be too fresh for the listing of some store.
  await objects.deleteMany([...new Set([prefix, ...keys])], { signal });
}

/**
 * Removes objects and multipart uploads in staging that no session knows and that are older than
 * `olderThan`: of a database that was restored from a backup, or of a completion that landed after
 * the sweep had been there.
 *
 * @returns How many were removed, of at most `limit` looked at.
 */
export async function sweepStrays(
  deps: SweepStagingDeps,
  options: { readonly olderThan: Date; readonly limit: number; readonly signal: AbortSignal },
): Promise<number> {
  const { olderThan, limit, signal } = options;
  let left = limit;
  let removed = 0;
  for await (const page of deps.objects.list(STAGING_PREFIX, { signal })) {
    const old = page.filter((each) => each.lastModifiedAt < olderThan).map((each) => each.key);
    const strays = await withoutSession(deps.sessions, old);
    await deps.objects.deleteMany(strays, { signal });
    removed += strays.length;
    left -= page.length;
    if (left <= 0) return removed;
  }
  for await (const upload of deps.objects.listMultipartUploads(STAGING_PREFIX, { signal })) {
    if (upload.initiatedAt < olderThan) {
      const [stray] = await withoutSession(deps.sessions, [upload.key]);
      if (stray !== undefined) {
        await deps.objects.abortMultipart(upload, { signal });
        removed++;
      }
    }
    if (--left <= 0) return removed;
  }
  return removed;
}

/** Names in staging that are no session's of ours are left to reconciliation. */
async function withoutSession(
  sessions: SweepSessions,
  keys: readonly string[],
): Promise<string[]> {
  const idOf = (key: string) => parseStagingKey(key)?.slice(0, SESSION_ID_LENGTH) ?? "";
  const ours = keys.filter((key) => UUID.test(idOf(key)));
  if (ours.length === 0) return [];
  const existing = await sessions.filterExisting([...new Set(ours.map(idOf))]);
  return ours.filter((key) =>
    !existing.has(idOf(key)) && key.startsWith(formatStagingKey(idOf(key)))
  );
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

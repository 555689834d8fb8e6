import { AppError } from "../errors.ts";
import type { FailureReporter, Ingest, UploadSessions } from "./ports.ts";
import type {
  SpanningKind,
  SpanningObjects,
  SpanningSession,
  SpanningSessions,
  SpanningView,
} from "./resumable_ports.ts";

/** What looking after sessions needs. */
export interface SpanningDeps {
  readonly ingest: Pick<Ingest, "knownToTenant" | "adoptStaged">;
  readonly sessions: SpanningSessions;
  readonly staged: Pick<UploadSessions, "release">;
  readonly objects: SpanningObjects;
  readonly reportFailure: FailureReporter;
}

/** Which session, and whose. */
export interface SessionName {
  readonly kind: SpanningKind;
  readonly tenant: string;
  readonly sessionId: string;
}

/** How long removing an ended upload may take before the sweep does it. */
const REMOVAL_LEASE_MS = 60_000;

/**
 * Finds a session that is under way or done.
 *
 * @throws {AppError} `upload_not_found`, also for other tenants' and for the other kind;
 * `upload_expired`.
 */
export async function findSession(
  deps: Pick<SpanningDeps, "sessions" | "ingest">,
  { kind, tenant, sessionId }: SessionName,
): Promise<SpanningView> {
  const session = await deps.sessions.find(tenant, sessionId);
  if (session === null || session.kind !== kind) {
    throw new AppError("upload_not_found", "There is no such upload");
  }
  if (session.state === "done" && session.contentHash !== null) {
    return { session, asset: await deps.ingest.knownToTenant(tenant, session.contentHash) };
  }
  if (session.expired || session.state === "aborted") {
    throw new AppError("upload_expired", "The upload has expired or was given up");
  }
  return { session, asset: null };
}

/**
 * Ends a session and removes its bytes.
 *
 * @throws {AppError} As {@linkcode findSession}; `state_conflict` when it is (being) finished.
 */
export async function abortSession(deps: SpanningDeps, session: SpanningSession): Promise<void> {
  if (!await deps.sessions.abort(session.sessionId, REMOVAL_LEASE_MS)) {
    await findSession(deps, session);
    throw new AppError("state_conflict", "The upload is finished, or is being finished right now");
  }
  await removeStaging(deps, session);
}

/** Removes everything under the session's name. What fails here is the sweep's. */
export async function removeStaging(
  deps: Pick<SpanningDeps, "objects" | "staged" | "reportFailure">,
  { stagingKey, sessionId }: SpanningSession,
): Promise<void> {
  const { objects } = deps;
  try {
    for await (const upload of objects.listMultipartUploads(stagingKey)) {
      await objects.abortMultipart(upload);
    }
    for await (const page of objects.list(stagingKey)) {
      await objects.deleteMany(page.map((each) => each.key));
    }
    await deps.staged.release(sessionId);
  } catch (error) {
    deps.reportFailure("removing a staged upload", { error, sessionId });
  }
}

/**
 * The upload use case: bytes come in once and become an asset, or nothing is kept.
 *
 * A body of up to one part is held, hashed and stored under its hash in one write, or not at all
 * when it is known. A longer one goes to `staging/` in parts, since its hash, and so its key, is
 * known at its end only; it is then copied inside the store. A declared hash changes nothing of
 * this: to trust it before the bytes are there would let anyone keep others from storing content by
 * naming its hash.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Budget, BudgetShare } from "../core/budget.ts";
import { type ContentHash, parseContentHash } from "../core/content_hash.ts";
import { sanitizeFileName } from "../core/file_name.ts";
import { memorySource } from "../core/image_header/byte_source.ts";
import { choosePartSizeBytes } from "../core/multipart_writer.ts";
import { AppError } from "../errors.ts";
import { type AdoptDeps, adoptStaged } from "./adopt_staged.ts";
import { BodyReader } from "./body_reader.ts";
import { checkExpectedBytes } from "./expected_bytes.ts";
import { GrowingBuffer } from "./growing_buffer.ts";
import { createPlaceholderQueue } from "./placeholders.ts";
import type {
  FactReader,
  FailureReporter,
  Ingest,
  PlaceholderMaker,
  PlaceholderStore,
  StepObserver,
  UploadCatalog,
  UploadObjects,
  UploadRequest,
  UploadResult,
  UploadSessions,
} from "./ports.ts";
import { createPromoter, type PendingContent } from "./promote.ts";
import { openStagedBody } from "./staging.ts";
import { createUploadMemory } from "./upload_memory.ts";

const MIB = 1024 * 1024;

/** Sizes in bytes, durations in milliseconds. */
export interface IngestLimits {
  /** Longest body. */
  readonly maxBytes: number;
  /** Longest body that is held in memory whole, and the size of a part (at least 5 MiB). */
  readonly partBytes: number;
  /** Bytes held by all uploads of this instance together. */
  readonly maxHeldBytes: number;
  /** Uploads that may wait for their share of `maxHeldBytes`. */
  readonly maxWaiting: number;
  /** Longest such wait. */
  readonly maxWaitMs: number;
  /** Longest silence of a client, and the window over which `minWindowBytes` must arrive. */
  readonly idleTimeoutMs: number;
  readonly minWindowBytes: number;
  /** How long a crashed upload keeps others from storing the same bytes. */
  readonly leaseMs: number;
  /** Longest wait for another upload of the same bytes; longer than `leaseMs` to outlive a crash. */
  readonly claimWaitMs: number;
  /** After how long without a sign of life the sweep removes a staged upload. */
  readonly sessionLeaseMs: number;
}

/** The limits where nothing else is asked for. */
export const DEFAULT_INGEST_LIMITS: IngestLimits = {
  maxBytes: 5 * 1024 * MIB,
  partBytes: 8 * MIB,
  maxHeldBytes: 128 * MIB,
  maxWaiting: 1_000,
  maxWaitMs: 20_000,
  idleTimeoutMs: 30_000,
  minWindowBytes: 16 * 1024,
  leaseMs: 10_000,
  claimWaitMs: 25_000,
  sessionLeaseMs: 60_000,
};

/** Part buffers of one long upload when memory allows: one fills while others are sent. */
const MAX_PART_BUFFERS = 3;

/** What the use case needs. */
export interface IngestDeps {
  readonly catalog: UploadCatalog;
  readonly sessions: UploadSessions;
  readonly objects: UploadObjects;
  readonly facts: FactReader;
  /** UUIDv7. */
  readonly newId: () => string;
  readonly limits?: Partial<IngestLimits> | undefined;
  readonly placeholders?:
    | { readonly maker: PlaceholderMaker; readonly store: PlaceholderStore }
    | undefined;
  readonly reportFailure?: FailureReporter | undefined;
  /** Told of each step; for telemetry and fault tests. Not reachable by configuration. */
  readonly onStep?: StepObserver | undefined;
}

interface Context extends AdoptDeps {
  readonly budget: Budget;
  readonly limits: IngestLimits;
}

/** Creates the use case. One per process: it bounds the memory of all uploads together. */
export function createIngest(deps: IngestDeps): Ingest {
  const limits = { ...DEFAULT_INGEST_LIMITS, ...deps.limits };
  const reportFailure = deps.reportFailure ?? (() => {});
  const onStep = deps.onStep ?? (() => {});
  const shared = { ...deps, ...limits, reportFailure, onStep };
  const context: Context = {
    ...shared,
    limits,
    promoter: createPromoter(shared),
    budget: createUploadMemory({
      capacity: limits.maxHeldBytes,
      maxWaiting: limits.maxWaiting,
      maxWaitMs: limits.maxWaitMs,
    }),
  };
  const placeholders = createPlaceholderQueue(deps.placeholders, reportFailure);

  async function withPlaceholder(upload: Promise<UploadResult>): Promise<UploadResult> {
    const result = await upload;
    if (result.created && result.asset.width !== null) placeholders.add(result.asset.contentHash);
    return result;
  }

  return {
    ingest: (body, request) => withPlaceholder(receiveAndPromote(context, body, request)),
    adoptStaged: (upload) => withPlaceholder(adoptStaged(context, upload)),
    async knownToTenant(tenant, hash) {
      const asset = await deps.catalog.find(tenant, hash);
      return asset !== null && (asset.state === "READY" || asset.state === "ARCHIVED")
        ? asset
        : null;
    },
    settled: () => placeholders.settled(),
  };
}

async function receiveAndPromote(
  context: Context,
  body: ReadableStream<Uint8Array>,
  request: UploadRequest,
): Promise<UploadResult> {
  const { limits } = context;
  using reader = new BodyReader(body, { ...limits, ...request });
  const fileName = sanitizeFileName(request.fileName);
  reader.assertOpen();
  const { contentLength } = request;
  const partSizeBytes = choosePartSizeBytes(contentLength ?? limits.maxBytes, limits.partBytes);
  const short = contentLength !== undefined && contentLength <= limits.partBytes;
  using reservation = await context.budget.reserve(
    short ? contentLength : partSizeBytes,
    request.signal,
  );
  const upload: Upload = { request, fileName, reader, reservation, partSizeBytes };
  const hash = createHash("sha256");
  const held = new GrowingBuffer({
    maxBytes: limits.partBytes,
    expectedBytes: short ? contentLength : undefined,
  });
  for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
    hash.update(chunk);
    if (!held.append(chunk)) return await stageAndPromote(context, upload, { hash, held, chunk });
  }
  const bytes = held.view();
  reservation.shrinkTo(bytes.byteLength);
  return await promoteProved(
    context,
    upload,
    buildHeldContent(context, bytes, {
      contentHash: parseContentHash(hash.digest("hex")),
      claimedType: request.claimedType,
    }),
  );
}

interface Upload {
  readonly request: UploadRequest;
  readonly fileName: string | null;
  readonly reader: BodyReader;
  readonly reservation: BudgetShare;
  readonly partSizeBytes: number;
}

/** Goes on where the held bytes end: `chunk` is the one that did not fit any more. */
async function stageAndPromote(
  context: Context,
  upload: Upload,
  begun: {
    readonly hash: ReturnType<typeof createHash>;
    readonly held: GrowingBuffer;
    readonly chunk: Uint8Array;
  },
): Promise<UploadResult> {
  const { request, reader, reservation, partSizeBytes } = upload;
  let maxPartBuffers = 1;
  while (maxPartBuffers < MAX_PART_BUFFERS && reservation.tryGrow(partSizeBytes)) maxPartBuffers++;
  await using staged = await openStagedBody(context, {
    request,
    fileName: upload.fileName,
    maxBytes: request.contentLength ?? context.limits.maxBytes,
    partSizeBytes,
    maxPartBuffers,
  });
  await staged.write(begun.held.takeAll());
  await staged.write(begun.chunk);
  for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
    begun.hash.update(chunk);
    await staged.write(chunk);
  }
  const contentHash = parseContentHash(begun.hash.digest("hex"));
  return await promoteProved(context, upload, staged.toContent(contentHash));
}

async function promoteProved(
  context: Context,
  upload: Upload,
  content: PendingContent,
): Promise<UploadResult> {
  const { request, fileName } = upload;
  if (content.sizeBytes === 0) throw new AppError("empty_body", "The body is empty");
  checkExpectedBytes(content.contentHash, request);
  await context.onStep("body_received");
  return await context.promoter.promote(content, {
    tenant: request.tenant,
    keyId: request.keyId,
    fileName,
    visibility: request.visibility ?? null,
    signal: request.signal,
  });
}

function buildHeldContent(
  context: Context,
  bytes: Uint8Array,
  proved: { readonly contentHash: ContentHash; readonly claimedType: string | null },
): PendingContent {
  return {
    ...proved,
    sizeBytes: bytes.byteLength,
    async store(key, signal) {
      await context.objects.put(key, bytes, { sha256: proved.contentHash, signal });
    },
    openSource: () => memorySource(bytes),
  };
}

/**
 * The upload use case: bytes come in once and become an asset, or nothing is kept.
 *
 * @module
 */
import type {
  FactReader,
  FailureReporter,
  Ingest,
  PlaceholderMaker,
  PlaceholderStore,
  StepObserver,
  UploadCatalog,
  UploadObjects,
  UploadSessions,
} from "./ports.ts";

/** Sizes in bytes, durations in milliseconds. */
export interface IngestLimits {
  /** Longest body. */
  readonly maxBytes: number;
  /** Longest body that is held in memory whole, and the size of a part. */
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
  /** Longest wait for another upload of the same bytes. */
  readonly claimWaitMs: number;
}

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
  readonly onStep?: StepObserver | undefined;
}

/** Creates the use case. */
export declare function createIngest(deps: IngestDeps): Ingest;

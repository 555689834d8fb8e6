/**
 * What the cost report needs from outside.
 *
 * @module
 */
import type { MeasuredUsage } from "../core/cost_model.ts";

/** What was measured, and how sure it is. */
export interface UsageReading extends MeasuredUsage {
  /** Whether the ledger has anything for this time. */
  readonly counted: boolean;
  /** What the newest complete listing of the bucket added up to; null when there was none. */
  readonly listing: {
    readonly rowBytes: number;
    readonly objectBytes: number;
    readonly objects: number;
    readonly at: Date;
    /** Findings per object, 0 to 1. */
    readonly driftRatio: number;
  } | null;
}

/** Reads what was measured. */
export interface UsageReader {
  /**
   * Of the last `days` calendar days (UTC), today as far as it has passed included; of fewer when the
   * ledger is younger.
   */
  read(days: number): Promise<UsageReading>;
}

/** A digest, as the next one wants to know it. */
export interface DigestSummary {
  readonly spentUsd: number;
  readonly projectedUsd: number;
  readonly hitPercent: number | null;
  readonly driftPercent: number | null;
  readonly assets: number;
}

/** The record of digests: one per day, whatever happens. */
export interface DigestRecords {
  /**
   * Takes the right to send the digest of a day; null when it was sent, or may have been. What was
   * sent last before that day comes along.
   */
  claim(day: string): Promise<{ readonly previous: DigestSummary | null } | null>;
  /** Notes what is sent. From now on nobody sends it again, unless it is given back. */
  markSent(day: string, summary: DigestSummary): Promise<void>;
  /** It certainly did not arrive: may be tried again. */
  giveBack(day: string): Promise<void>;
}

/** What became of a message. `unknown`: it may have arrived. */
export type DeliveryOutcome = "delivered" | "refused" | "unknown";

/** Posts messages. Never throws. */
export interface Webhook {
  post(message: { readonly id: string; readonly text: string }): Promise<DeliveryOutcome>;
}

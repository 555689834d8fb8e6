import type { ContentHash } from "../core/content_hash.ts";
import { AppError } from "../errors.ts";
import type { FocalPoint } from "../image/render_spec.ts";

/** Stores where the point of interest of an asset lies. */
export interface FocalPointStore {
  /**
   * Sets or clears the focal point of the content behind a reference, and leaves a purge of the
   * content's variants in the outbox by the same transaction.
   *
   * @returns Null when the tenant has no such reference; `shared` when other tenants refer to the
   * same content, whose crops are not the caller's to move.
   */
  set(
    assetId: string,
    change: { readonly tenant: string; readonly focus: FocalPoint | null },
  ): Promise<{ readonly hash: ContentHash } | "shared" | null>;
}

/** Thousandths: what keys tell apart, so what is stored has one spelling in them. */
const STEPS = 1000;

/**
 * Parses a focal point: `{"x":0.25,"y":0.5}` from the left and the top, or null for the middle.
 *
 * @throws {AppError} `invalid_request`.
 */
export function parseFocalPoint(value: unknown): FocalPoint | null {
  if (value === null) return null;
  if (typeof value === "object" && "x" in value && "y" in value) {
    const { x, y } = value;
    if (isShare(x) && isShare(y)) {
      return { x: Math.round(x * STEPS) / STEPS, y: Math.round(y * STEPS) / STEPS };
    }
  }
  throw new AppError("invalid_request", "A focal point is null, or has x and y from 0 to 1");
}

/**
 * Changes the focal point of an asset.
 *
 * @throws {AppError} `asset_not_found`, `state_conflict` when other tenants have the same content.
 */
export async function changeFocalPoint(
  store: FocalPointStore,
  assetId: string,
  change: { readonly tenant: string; readonly focus: FocalPoint | null },
): Promise<ContentHash> {
  const changed = await store.set(assetId, change);
  if (changed === null) throw new AppError("asset_not_found", "There is no such asset");
  if (changed === "shared") {
    throw new AppError("state_conflict", "Others have stored the same bytes, so their crops stay");
  }
  return changed.hash;
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

import { AppError } from "../errors.ts";
import type { CursorCodec } from "./list_cursor.ts";
import type { ListQuery } from "./list_query.ts";
import type {
  Asset,
  AssetDirectory,
  AssetSelector,
  ListPosition,
  ReferenceRemover,
  RemovedReference,
} from "./ports.ts";

/** One page of a list. */
export interface AssetPage {
  /** Newest first. May be shorter than the limit, even empty, although there are more. */
  readonly assets: readonly Asset[];
  /** Continues the list; null at its end. */
  readonly nextCursor: string | null;
}

/** Reads and deletes assets on behalf of one tenant. */
export interface AssetService {
  /** @throws {AppError} `asset_not_found`, for another tenant's assets too. */
  get(tenant: string, selector: AssetSelector): Promise<Asset>;
  /** @throws {AppError} `invalid_cursor`. */
  list(tenant: string, query: ListQuery): Promise<AssetPage>;
  /**
   * Drops the tenant's reference; the last one deletes the content, which leaves a purge of its
   * bytes and of every cache in the outbox.
   *
   * @throws {AppError} `asset_not_found`, for another tenant's assets too.
   */
  delete(
    tenant: string,
    selector: AssetSelector,
    options: { actor: string },
  ): Promise<RemovedReference>;
}

/** What {@linkcode createAssetService} needs. */
export interface AssetServiceDeps {
  readonly directory: AssetDirectory;
  readonly references: ReferenceRemover;
  readonly cursors: CursorCodec;
}

/**
 * Most references that one request looks at. A filter that matches little would otherwise read a
 * tenant's millions of references for one page; so the page ends early, and its cursor goes on.
 */
const MAX_LOOKED_AT = 2_000;
/** The first look under a filter, in pages: most filters match most assets. */
const FIRST_LOOK_PAGES = 2;

/** Creates the reading and deleting of assets. */
export function createAssetService(deps: AssetServiceDeps): AssetService {
  const notFound = () => new AppError("asset_not_found", "There is no such asset");

  return {
    async get(tenant, selector) {
      const asset = await deps.directory.find(tenant, selector);
      if (!asset) throw notFound();
      return asset;
    },

    async list(tenant, query) {
      const { limit, cursor, state, mime } = query;
      const filter = { state, mime };
      const scope = { tenant, ...filter };
      let after: ListPosition | null = cursor === null ? null : deps.cursors.parse(cursor, scope);
      const { assets, end } = await collectPage();
      return { assets, nextCursor: end && deps.cursors.format(end, scope) };

      async function collectPage(): Promise<{ assets: Asset[]; end: ListPosition | null }> {
        const assets: Asset[] = [];
        const filtered = state !== null || mime !== null;
        let lookAt = filtered ? limit * FIRST_LOOK_PAGES : limit;
        for (let looked = 0; looked < MAX_LOOKED_AT; looked += lookAt, lookAt *= 2) {
          lookAt = Math.min(lookAt, MAX_LOOKED_AT - looked);
          const wanted = limit - assets.length;
          const stretch = await deps.directory.list(tenant, {
            filter,
            after,
            limit: wanted,
            lookAt,
          });
          assets.push(...stretch.found.map(({ asset }) => asset));
          after = stretch.doneUntil;
          if (after === null || assets.length === limit) break;
        }
        return { assets, end: after };
      }
    },

    async delete(tenant, selector, options) {
      const removed = await deps.references.remove(tenant, selector, options);
      if (!removed) throw notFound();
      return removed;
    },
  };
}

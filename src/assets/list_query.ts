import { isAssetState } from "../core/asset_state.ts";
import { AppError } from "../errors.ts";
import type { ListFilter } from "./ports.ts";

/** What a client asks of a list. */
export interface ListQuery extends ListFilter {
  /** 1 to {@linkcode MAX_LIST_LIMIT}. */
  readonly limit: number;
  readonly cursor: string | null;
}

/** Assets on a page unless the client says otherwise. */
export const DEFAULT_LIST_LIMIT = 50;
/** Most assets on a page. */
export const MAX_LIST_LIMIT = 200;

/** RFC 6838 section 4.2, without the upper case; `*` for all subtypes of a type. */
const MIME = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/(\*|[a-z0-9][a-z0-9!#$&^_.+-]{0,126})$/;

/**
 * Reads the query of a list; names it does not know are ignored.
 *
 * @throws {AppError} `invalid_request`.
 */
export function parseListQuery(query: URLSearchParams): ListQuery {
  return {
    state: parseState(query.get("state")),
    mime: parseMime(query.get("mime")),
    limit: parseLimit(query.get("limit")),
    cursor: query.get("cursor"),
  };
}

function parseState(text: string | null): ListQuery["state"] {
  if (text === null || isAssetState(text)) return text;
  throw new AppError("invalid_request", "state must be a state of an asset, in upper case");
}

function parseMime(text: string | null): string | null {
  if (text === null || MIME.test(text)) return text;
  throw new AppError("invalid_request", "mime must be a media type like image/png or image/*");
}

function parseLimit(text: string | null): number {
  if (text === null) return DEFAULT_LIST_LIMIT;
  const limit = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : NaN;
  if (limit <= MAX_LIST_LIMIT) return limit;
  throw new AppError("invalid_request", `limit must be a number from 1 to ${MAX_LIST_LIMIT}`);
}

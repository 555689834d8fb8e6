import type { AssetState } from "../../core/asset_state.ts";
import type { ClaimRequest, Visibility } from "../../uploads/ports.ts";
import type { Sql } from "./database.ts";

/**
 * Public where nobody says otherwise. But a tenant that sends its private bytes again, say to try
 * an upload once more, does not publish them by leaving the word out.
 */
export async function chooseVisibility(
  sql: Sql,
  request: ClaimRequest,
  row: { readonly state: AssetState; readonly visibility: Visibility } | null,
): Promise<Visibility> {
  if (request.visibility !== null) return request.visibility;
  if (row?.visibility !== "private" || row.state === "DELETED") return "public";
  const references = await sql`
    select 1 from asset_reference
    where tenant = ${request.tenant} and content_hash = decode(${request.contentHash}, 'hex')`;
  return references.length > 0 ? "private" : "public";
}

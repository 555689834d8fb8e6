import type { ErrorCode } from "../../errors.ts";
import type { Answer, Operation } from "./operation.ts";
import { ref } from "./schemas.ts";

const JSON_TYPE = "application/json";
const ANYTHING = { "*/*": {} };

/** What may go wrong with a body of bytes. */
export const BODY_PROBLEMS: readonly ErrorCode[] = [
  "invalid_request",
  "invalid_header",
  "empty_body",
  "incomplete_body",
  "body_timeout",
  "body_too_large",
  "unsupported_encoding",
  "digest_mismatch",
  "concurrent_uploads_exceeded",
  "daily_bytes_exceeded",
  "upload_queue_full",
  "state_conflict",
  "storage_error",
  "object_mismatch",
  "storage_unavailable",
  "storage_timeout",
  "storage_full",
];

const DIGESTS = ["Content-Disposition", "Content-Digest", "Repr-Digest"] as const;

/** The answer to a finished upload. */
export function uploaded(description: string): Answer {
  return { description, content: { [JSON_TYPE]: ref("Asset") }, headers: ["Location"] };
}

const STORED = {
  description: "New to this caller; of a form, any of its files",
  content: { [JSON_TYPE]: { anyOf: [ref("Asset"), ref("FormResults")] } },
  headers: ["Location"],
} as const;

/** Assets: in, listed, described, changed, out. */
export const ASSET_OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/assets",
    id: "uploadAsset",
    tag: "assets",
    summary: "Upload bytes, or a form with many files",
    description:
      "The type is sniffed; any may be stored. Of a form each file has its own result, " +
      "and its own digest fields in the headers of its part.",
    scope: "upload",
    parameters: ["fileName", "visibility", ...DIGESTS],
    body: { "*/*": {}, "multipart/form-data": { type: "object" } },
    answers: {
      200: { ...STORED, description: "Known to this caller; of a form, all of its files" },
      201: STORED,
      207: {
        description: "Some files of the form failed",
        content: { [JSON_TYPE]: ref("FormResults") },
      },
    },
    problems: [...BODY_PROBLEMS, "malformed_form", "form_limit_exceeded"],
  },
  {
    method: "get",
    path: "/v1/assets",
    id: "listAssets",
    tag: "assets",
    summary: "Pages of assets, the newest first",
    scope: "read",
    parameters: ["state", "mime", "limit", "cursor"],
    answers: { 200: { description: "A page", content: { [JSON_TYPE]: ref("AssetPage") } } },
    problems: ["invalid_request", "invalid_cursor"],
  },
  {
    method: "put",
    path: "/v1/assets/{asset}",
    id: "uploadDeclared",
    tag: "assets",
    summary: "Upload bytes whose hash is known",
    description: "What this caller has uploaded is answered before the body is read.",
    scope: "upload",
    parameters: ["fileName", "visibility", ...DIGESTS],
    body: ANYTHING,
    bodyOptional: true,
    answers: { 200: uploaded("Known to this caller"), 201: uploaded("New to this caller") },
    problems: [...BODY_PROBLEMS, "invalid_hash"],
  },
  {
    method: "get",
    path: "/v1/assets/{asset}",
    id: "getAsset",
    tag: "assets",
    summary: "Metadata and state",
    scope: "read",
    answers: { 200: { description: "It", content: { [JSON_TYPE]: ref("AssetDetails") } } },
    problems: ["invalid_id", "asset_not_found"],
  },
  {
    method: "patch",
    path: "/v1/assets/{asset}",
    id: "changeAsset",
    tag: "assets",
    summary: "Set the focal point; purges what was cropped around another",
    scope: "upload",
    body: { [JSON_TYPE]: ref("FocalPointChange") },
    answers: {
      200: { description: "Changed", content: { [JSON_TYPE]: ref("FocalPointResult") } },
    },
    problems: [
      "invalid_id",
      "invalid_request",
      "incomplete_body",
      "body_timeout",
      "body_too_large",
      "asset_not_found",
      "state_conflict",
    ],
  },
  {
    method: "delete",
    path: "/v1/assets/{asset}",
    id: "deleteAsset",
    tag: "assets",
    summary: "Drop this reference; the last one deletes the content everywhere",
    scope: "upload",
    answers: {
      200: {
        description: "It was the last one: nothing is left",
        content: { [JSON_TYPE]: ref("Deletion") },
      },
      202: {
        description: "It was the last one: some of what is left is still to be purged",
        content: { [JSON_TYPE]: ref("Deletion") },
      },
      204: { description: "Others refer to the content" },
    },
    problems: ["invalid_id", "asset_not_found", "state_conflict", "asset_not_ready"],
  },
  {
    method: "get",
    path: "/v1/assets/{hash}/variants",
    id: "listVariants",
    tag: "assets",
    summary: "Every variant that may be asked for without a signature",
    scope: "read",
    answers: { 200: { description: "All", content: { [JSON_TYPE]: ref("VariantList") } } },
    problems: ["invalid_hash", "asset_not_found"],
  },
  {
    method: "post",
    path: "/v1/assets/{assetId}/restore",
    id: "restoreAsset",
    tag: "assets",
    summary: "Bring an archived asset back",
    scope: "upload",
    answers: {
      200: { description: "It can be served", content: { [JSON_TYPE]: ref("Restore") } },
      202: {
        description: "The archive is thawing it",
        content: { [JSON_TYPE]: ref("Restore") },
        headers: ["Retry-After"],
      },
    },
    problems: [
      "invalid_id",
      "asset_not_found",
      "asset_missing",
      "asset_not_ready",
      "asset_deleted",
      "storage_error",
      "storage_unavailable",
      "storage_timeout",
    ],
  },
];

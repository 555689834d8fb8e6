import { VARIANT_MEDIA_TYPES } from "../../core/variant_spec.ts";
import type { Answer, Operation } from "./operation.ts";

const NOT_MODIFIED: Answer = { description: "The client has it", headers: ["ETag"] };
const FOUND: Answer = {
  description: "The variant's own URL",
  headers: ["Location", "Cache-Control"],
};

const UNAVAILABLE = [
  "invalid_hash",
  "invalid_signature",
  "expired_signature",
  "signature_required",
  "asset_not_found",
  "asset_missing",
  "asset_deleted",
  "asset_archived",
  "asset_not_ready",
  "precondition_failed",
  "storage_error",
  "object_mismatch",
  "storage_unavailable",
  "storage_timeout",
] as const;

const VARIANT_PROBLEMS = [
  ...UNAVAILABLE,
  "malformed_variant",
  "variant_out_of_range",
  "variant_not_allowed",
  "not_an_image",
  "unsupported_image",
  "image_undecodable",
  "image_truncated",
  "image_too_large",
  "image_budget_exceeded",
  "rate_limited",
  "render_queue_full",
  "render_timeout",
] as const;

const VARIANT: Answer = {
  description: "The variant, of exactly that size, upright, with its colour profile",
  content: Object.fromEntries(Object.values(VARIANT_MEDIA_TYPES).map((type) => [type, {}])),
  headers: ["ETag", "Cache-Control", "Cache-Tag", "X-Cache", "X-Cache-Lock", "Server-Timing"],
};

const PREFLIGHT: Answer = { description: "Preflights included", headers: ["Allow"] };

function preflight(path: string, id: string): Operation {
  return {
    method: "options",
    path,
    id,
    tag: "delivery",
    summary: "What other origins may do",
    scope: null,
    answers: { 204: PREFLIGHT },
    problems: [],
  };
}

/** The public routes. */
export const DELIVERY_OPERATIONS: readonly Operation[] = [
  {
    method: "get",
    path: "/{hash}",
    id: "getOriginal",
    tag: "delivery",
    summary: "The original, or a range of it",
    scope: null,
    parameters: ["Range", "If-Range", "If-Match", "If-None-Match"],
    answers: {
      200: {
        description: "All of it",
        content: { "*/*": {} },
        headers: ["ETag", "Cache-Control", "Content-Disposition", "Content-Digest", "Repr-Digest"],
      },
      206: {
        description: "One range",
        content: { "*/*": {} },
        headers: ["ETag", "Content-Range", "Repr-Digest"],
      },
      304: NOT_MODIFIED,
    },
    problems: [...UNAVAILABLE, "range_not_satisfiable"],
  },
  preflight("/{hash}", "preflightOriginal"),
  {
    method: "get",
    path: "/{hash}/{size}/{quality}.{format}",
    id: "getVariant",
    tag: "delivery",
    summary: "A variant of an image",
    description: "One spelling per variant: no leading zeros, nothing encoded, no query. What is " +
      "not on the allow-list is 403 and names the nearest variant that is.",
    scope: null,
    parameters: ["Accept", "If-Match", "If-None-Match"],
    answers: { 200: VARIANT, 302: FOUND, 304: NOT_MODIFIED },
    problems: VARIANT_PROBLEMS,
  },
  preflight("/{hash}/{size}/{quality}.{format}", "preflightVariant"),
  {
    method: "get",
    path: "/{hash}/{preset}.{format}",
    id: "getPreset",
    tag: "delivery",
    summary: "Redirects to the variant that a preset names",
    scope: null,
    parameters: ["Accept"],
    answers: { 302: FOUND },
    problems: [...UNAVAILABLE, "malformed_variant", "variant_not_allowed"],
  },
  preflight("/{hash}/{preset}.{format}", "preflightPreset"),
];

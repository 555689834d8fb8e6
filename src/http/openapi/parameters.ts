/**
 * The parameters and response headers that operations refer to by name.
 *
 * @module
 */
import { TRANSITIONS } from "../../core/asset_state.ts";
import {
  DEFAULT_FORMATS,
  MAX_EDGE_PIXELS,
  MAX_QUALITY,
  MIN_EDGE_PIXELS,
  MIN_QUALITY,
} from "../../core/variant_spec.ts";
import { DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT } from "../../assets/list_query.ts";
import { TUS_CHECKSUM_ALGORITHMS, TUS_EXTENSIONS, TUS_VERSION } from "../tus_headers.ts";

const HASH = { type: "string", pattern: "^[0-9a-f]{64}$" };
const UUID = { type: "string", format: "uuid", pattern: "^[0-9a-f-]{36}$" };
const TEXT = { type: "string" };
const BYTES = { type: "integer", minimum: 0 };
const VISIBILITY = { type: "string", enum: ["public", "private"], default: "public" };

function inPath(description: string, schema: object) {
  return { in: "path", required: true, description, schema } as const;
}

function inQuery(description: string, schema: object) {
  return { in: "query", description, schema } as const;
}

function inHeader(description: string, schema: object = TEXT) {
  return { in: "header", description, schema } as const;
}

/** Parameters by the name under which operations list them. */
export const PARAMETERS = {
  hash: inPath("SHA-256 of the bytes, in lower case", HASH),
  size: inPath(
    "`640x480` fills the box and crops; `640x480-contain` pads; `640x480-inside` is as large as " +
      `fits; \`640x\` and \`x480\` give one edge. ${MIN_EDGE_PIXELS} to ${MAX_EDGE_PIXELS} pixels`,
    { type: "string", pattern: "^([1-9][0-9]*x([1-9][0-9]*(-contain|-inside)?)?|x[1-9][0-9]*)$" },
  ),
  quality: inPath("A number without leading zeros", {
    type: "integer",
    minimum: MIN_QUALITY,
    maximum: MAX_QUALITY,
  }),
  format: inPath(
    "`auto` redirects to what `Accept` likes best. The deployment decides which formats there are: " +
      `by default ${DEFAULT_FORMATS.join(", ")}`,
    { type: "string", enum: ["webp", "jpg", "png", "avif", "auto"] },
  ),
  preset: inPath("A size and quality that the deployment has named", {
    type: "string",
    pattern: "^[a-z][a-z0-9-]{0,31}$",
  }),
  asset: inPath(
    "The id of the asset or its content hash; PUT takes a hash only, PATCH an id only",
    { oneOf: [UUID, HASH] },
  ),
  assetId: inPath("The id of the asset", UUID),
  uploadId: inPath("The id of the upload", UUID),
  run: inPath("The id of the run", UUID),
  state: inQuery("Only assets in this state", { type: "string", enum: Object.keys(TRANSITIONS) }),
  mime: inQuery("Only assets of this media type; `image/*` for all of its subtypes", TEXT),
  limit: inQuery("Assets on a page", {
    type: "integer",
    minimum: 1,
    maximum: MAX_LIST_LIMIT,
    default: DEFAULT_LIST_LIMIT,
  }),
  cursor: inQuery("`nextCursor` of the page before, with the same other parameters", TEXT),
  days: inQuery("How many days to look back", {
    type: "integer",
    minimum: 1,
    maximum: 366,
    default: 30,
  }),
  profile: inQuery("Whose prices", { type: "string", enum: ["r2", "s3", "reference"] }),
  fileName: inQuery("Unless `Content-Disposition` has one. Never part of a path", TEXT),
  visibility: inQuery("Whether the bytes need a signed URL", VISIBILITY),
  signature: { ...inQuery("Part of the URL as it was handed out", TEXT), required: true },
  "Content-Disposition": inHeader("`attachment; filename*=UTF-8''…` names the file (RFC 6266)"),
  "Content-Digest": inHeader("`sha-256=:…:` must be that of the body (RFC 9530)"),
  "Repr-Digest": inHeader("The same"),
  "If-None-Match": inHeader("304 when one of these entity tags is that of the representation"),
  "If-Match": inHeader("412 unless one of these entity tags is that of the representation"),
  "If-Range": inHeader("The whole representation unless this is its entity tag"),
  Range: inHeader("One range of bytes"),
  Accept: inHeader("For `auto`"),
  "Tus-Resumable": { ...inHeader("The version", { const: TUS_VERSION }), required: true },
  "Upload-Length": { ...inHeader("Size of the whole upload in bytes", BYTES), required: true },
  "Upload-Offset": { ...inHeader("Where the body belongs", BYTES), required: true },
  "Upload-Metadata": inHeader(
    "`filename`, `filetype`, `sha256`, `visibility`, each with a base64 value, comma-separated",
  ),
  "Upload-Checksum": inHeader(`One of ${TUS_CHECKSUM_ALGORITHMS}, a space, a base64 digest`),
  "X-HTTP-Method-Override": {
    ...inHeader("For clients that cannot send these methods", { enum: ["PATCH", "DELETE"] }),
    required: true,
  },
} as const;

/** Names of {@linkcode PARAMETERS}. */
export type ParameterName = keyof typeof PARAMETERS;

function sent(description: string, schema: object = TEXT) {
  return { description, schema } as const;
}

/** Response headers by name. */
export const HEADERS = {
  ETag: sent("Strong; of a variant it names hash, variant and renderer version"),
  "Cache-Control": sent("How long the answer may be kept"),
  "Cache-Tag": sent("`asset-{hash}`, by which CDNs purge"),
  "X-Cache": sent("Where the variant came from", { enum: ["MEMORY", "KV", "MISS"] }),
  "X-Cache-Lock": sent("Who rendered it", { enum: ["leader", "waited", "none"] }),
  "Server-Timing": sent("Milliseconds by stage"),
  "Content-Disposition": sent("`inline` only for types that a browser cannot execute"),
  "Content-Range": sent("Which bytes these are"),
  "Content-Digest": sent("SHA-256 of the body (RFC 9530)"),
  "Repr-Digest": sent("SHA-256 of the original (RFC 9530)"),
  Location: sent("Where the resource is", { type: "string", format: "uri-reference" }),
  Allow: sent("The methods of the resource"),
  "Retry-After": sent("Seconds", { type: "integer", minimum: 1 }),
  "Tus-Resumable": sent("The version of the protocol", { const: TUS_VERSION }),
  "Tus-Version": sent("The versions that are spoken", { const: TUS_VERSION }),
  "Tus-Extension": sent("What is spoken of it", { const: TUS_EXTENSIONS }),
  "Tus-Max-Size": sent("Largest upload in bytes", BYTES),
  "Tus-Checksum-Algorithm": sent("What `Upload-Checksum` may use"),
  "Upload-Offset": sent("Bytes that are safely stored", BYTES),
  "Upload-Length": sent("Size of the whole upload", BYTES),
  "Upload-Metadata": sent("As it was sent"),
  "Upload-Expires": sent("When the upload is given up"),
  "Facet-Asset-Id": sent("The asset that the upload has become", UUID),
  "Facet-Content-Hash": sent("Its hash", HASH),
} as const;

/** Names of {@linkcode HEADERS}. */
export type HeaderName = keyof typeof HEADERS;

import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../../errors.ts";
import { assertObjectKey } from "../../core/object_keys.ts";
import type { ObjectPresigner, PresignedRequest, PresignOptions } from "../../core/object_store.ts";

/** What a signed local URL allows. */
export interface DirectUploadGrant {
  readonly key: string;
  /** The exact length that the body must have. */
  readonly sizeBytes: number;
  /** The part that the body is, or null when it is the whole object. */
  readonly part: {
    readonly uploadId: string;
    readonly partNumber: number;
    readonly partSizeBytes: number;
  } | null;
  readonly expiresAt: Date;
}

/** Signs direct uploads to the service itself, and checks them when they arrive. */
export interface DiskPresigner extends ObjectPresigner {
  /**
   * Reads the grant out of a request's URL. The caller still has to hold the body to
   * `sizeBytes`, and to store it under `key` (or as that part).
   *
   * @throws {AppError} `unauthorized` when the signature is wrong or the time is up.
   */
  verify(url: URL): DirectUploadGrant;
}

/** Options of {@linkcode createDiskPresigner}. */
export interface DiskPresignerOptions {
  /** At least 32 bytes. The same on every instance that shares the disk. */
  readonly secret: Uint8Array;
  /** Origin before the path, such as `http://localhost:8000`; empty for relative URLs. */
  readonly baseUrl?: string | undefined;
  /** Path of the route that accepts the uploads. @default {"/v1/uploads/direct/bytes"} */
  readonly path?: string | undefined;
  readonly now?: (() => Date) | undefined;
}

const MIN_SECRET_BYTES = 32;
const MAX_EXPIRY_SECONDS = 7 * 24 * 60 * 60;
const DEFAULT_PATH = "/v1/uploads/direct/bytes";

/**
 * Presigned URLs for a store without a server of its own: the grant is in the query, with an
 * HMAC-SHA-256 over all of it, so that a client can neither change a key, a length or a part nor
 * use the URL for longer.
 */
export function createDiskPresigner(options: DiskPresignerOptions): DiskPresigner {
  const { secret, baseUrl = "", path = DEFAULT_PATH, now = () => new Date() } = options;
  if (secret.byteLength < MIN_SECRET_BYTES) {
    throw new RangeError(`Cannot sign with ${secret.byteLength} bytes, at least 32 are needed`);
  }

  function sign(params: URLSearchParams): string {
    return createHmac("sha256", secret).update(params.toString()).digest("base64url");
  }

  function presign(
    key: string,
    fields: Record<string, string>,
    { sizeBytes, expiresInSeconds }: PresignOptions,
  ): Promise<PresignedRequest> {
    assertObjectKey(key);
    if (!(expiresInSeconds >= 1 && expiresInSeconds <= MAX_EXPIRY_SECONDS)) {
      throw new AppError("invalid_request", "A presigned URL is valid for 1 s to 7 days");
    }
    const expiresAt = new Date(now().getTime() + expiresInSeconds * 1000);
    const params = new URLSearchParams({
      key,
      size: String(sizeBytes),
      expires: String(expiresAt.getTime()),
      ...fields,
    });
    params.set("signature", sign(params));
    return Promise.resolve({
      method: "PUT",
      url: `${baseUrl}${path}?${params}`,
      headers: {},
      expiresAt,
    });
  }

  return {
    presignPut: (key, put) => presign(key, {}, put),
    presignPart: (upload, part) =>
      presign(upload.key, {
        upload: upload.uploadId,
        part: String(part.partNumber),
        partSize: String(upload.partSizeBytes),
      }, part),
    verify(url) {
      const params = new URLSearchParams(url.search);
      const given = toBytes(params.get("signature") ?? "");
      params.delete("signature");
      const expected = toBytes(sign(params));
      if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) {
        throw new AppError("unauthorized", "The signature of the URL is not valid");
      }
      const grant = toGrant(params);
      if (grant.expiresAt.getTime() <= now().getTime()) {
        throw new AppError("unauthorized", "The URL has expired");
      }
      return grant;
    },
  };
}

function toBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Reads signed parameters: they are ours, so they are well-formed. */
function toGrant(params: URLSearchParams): DirectUploadGrant {
  const uploadId = params.get("upload");
  return {
    key: params.get("key") ?? "",
    sizeBytes: Number(params.get("size")),
    part: uploadId === null ? null : {
      uploadId,
      partNumber: Number(params.get("part")),
      partSizeBytes: Number(params.get("partSize")),
    },
    expiresAt: new Date(Number(params.get("expires"))),
  };
}

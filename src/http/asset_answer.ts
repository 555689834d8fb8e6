import type { UploadedAsset, UploadResult } from "../uploads/ports.ts";

/** The JSON of an asset. It holds no URLs: those are computed from the hash. */
export function formatAsset(asset: UploadedAsset): Record<string, unknown> {
  return {
    assetId: asset.assetId,
    contentHash: asset.contentHash,
    sizeBytes: asset.sizeBytes,
    mimeType: asset.mediaType,
    state: asset.state,
    width: asset.width,
    height: asset.height,
    orientation: asset.orientation,
    frames: asset.frames,
    bitDepth: asset.bitDepth,
    colorModel: asset.colorModel,
    hasAlpha: asset.hasAlpha,
    iccName: asset.iccName,
    fileName: asset.fileName,
    visibility: asset.visibility,
    createdAt: asset.createdAt.toISOString(),
  };
}

/** Where the metadata of an asset is read. */
export function formatAssetPath(asset: Pick<UploadedAsset, "assetId">): string {
  return `/v1/assets/${asset.assetId}`;
}

/** The status of a finished upload: 201 for what is new to the tenant, 200 for a repetition. */
export function statusOfUpload(result: Pick<UploadResult, "created">): 200 | 201 {
  return result.created ? 201 : 200;
}

/** The answer to a finished upload. */
export function buildUploadAnswer(result: UploadResult): Response {
  return Response.json(formatAsset(result.asset), {
    status: statusOfUpload(result),
    headers: { "location": formatAssetPath(result.asset), "cache-control": "no-store" },
  });
}

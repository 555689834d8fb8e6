import type { CdnPurge } from "../../purge/cache_layers.ts";

/** Most bytes of an answer that are read. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** How to reach a zone. */
export interface CloudflareOptions {
  readonly zoneId: string;
  /** Needs the permission "Cache Purge" only. */
  readonly apiToken: string;
  /** Default `https://api.cloudflare.com/client/v4`. */
  readonly endpoint?: string;
}

/**
 * Purges Cloudflare by cache tag: `POST /zones/{zone}/purge_cache` with `{"tags":[…]}`. The tags are
 * those of the `Cache-Tag` header.
 */
export function createCloudflarePurge(options: CloudflareOptions): CdnPurge {
  const { zoneId, apiToken, endpoint = "https://api.cloudflare.com/client/v4" } = options;
  return {
    async purgeTag(tag, signal) {
      const response = await fetch(`${endpoint}/zones/${zoneId}/purge_cache`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${apiToken}` },
        body: JSON.stringify({ tags: [tag] }),
        signal,
      });
      const accepted = await readSuccess(response);
      // Cloudflare may answer 200 and say in the body that it did nothing.
      if (!response.ok || !accepted) {
        throw new Error(`Cannot purge Cloudflare: it answered ${response.status}`);
      }
    },
  };
}

async function readSuccess(response: Response): Promise<boolean> {
  if (Number(response.headers.get("content-length") ?? 0) > MAX_ANSWER_BYTES) {
    await response.body?.cancel();
    return false;
  }
  try {
    const answer: unknown = await response.json();
    return typeof answer === "object" && answer !== null && "success" in answer &&
      answer.success === true;
  } catch {
    return false;
  }
}

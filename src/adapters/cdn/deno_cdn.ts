import type { CdnPurge } from "../../purge/cache_layers.ts";

/** Where Deno Deploy takes invalidations, from inside an application only. */
export const DENO_CDN_ENDPOINT = "http://cache.localhost/invalidate/http";

/**
 * Purges Deno Deploy's CDN by tag: `POST {"tags":[…]}`, at most 500 tags, in all regions within
 * seconds (https://docs.deno.com/deploy/reference/caching/).
 */
export function createDenoCdnPurge(endpoint: string = DENO_CDN_ENDPOINT): CdnPurge {
  return {
    async purgeTag(tag, signal) {
      const response = await fetch(endpoint, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ tags: [tag] }),
        signal,
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`Cannot purge the CDN: it answered ${response.status}`);
    },
  };
}

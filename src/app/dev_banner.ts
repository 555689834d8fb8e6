/** What the banner of `deno task dev` tells. */
export interface DevBanner {
  readonly address: { readonly hostname: string; readonly port: number };
  readonly apiKey: string;
  /** An image to try things with, and its content hash. */
  readonly sample: { readonly path: string; readonly hash: string };
}

/** The text printed when the development server listens: address, key, three commands to paste. */
export function formatDevBanner({ address, apiKey, sample }: DevBanner): string {
  const host = /^(0\.0\.0\.0|::|127\.0\.0\.1)$/.test(address.hostname)
    ? "localhost"
    : address.hostname;
  const origin = `http://${host}:${address.port}`;
  return [
    "",
    `  Facet listens on ${origin}`,
    `  API key  ${apiKey}   (development only)`,
    "",
    "  Upload a picture, ask for a variant of it, read what is known about it:",
    "",
    `  curl -sS -H 'authorization: Bearer ${apiKey}' -H 'content-type: image/png' ` +
    `--data-binary @${sample.path} ${origin}/v1/assets`,
    `  curl -sS -D - -o variant.webp ${origin}/${sample.hash}/640x480/80.webp`,
    `  curl -sS -H 'authorization: Bearer ${apiKey}' ${origin}/v1/assets/${sample.hash}`,
    "",
    "",
  ].join("\n");
}

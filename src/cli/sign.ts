import { parseArgs } from "node:util";
import { bucketExpiry, type SigningKeys, signPath } from "../core/url_signature.ts";
import { parseContentHash } from "../core/content_hash.ts";
import { parseVariantAlias, type VariantPresets } from "../core/variant_alias.ts";
import { parseVariantSpec, type VariantFormat } from "../core/variant_spec.ts";
import { AppError } from "../errors.ts";

/** What {@linkcode runSignCommand} needs. */
export interface SignCommandDeps {
  /** Null when the deployment has none. */
  readonly keys: SigningKeys | null;
  readonly presets: VariantPresets;
  readonly formats: readonly VariantFormat[];
  readonly printLine: (text: string) => void;
  readonly printErrorLine: (text: string) => void;
  /** Unix time in seconds. */
  readonly nowSeconds: () => number;
}

const USAGE = `Usage:
  sign PATH [--ttl 1h] [--bucket 1h] [--key ID] [--origin https://img.example.com]

PATH is that of an original (/{hash}), a variant (/{hash}/640x480/80.webp) or an alias.
The URL holds for at least --ttl; its end is rounded up to a multiple of --bucket, so that all who
sign the same path within one bucket get the same URL and caches keep it once.`;

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `sign PATH`: prints a signed URL. Returns the exit code: 0 done, 2 wrong usage. */
export function runSignCommand(args: readonly string[], deps: SignCommandDeps): number {
  try {
    deps.printLine(sign(args, deps));
    return 0;
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof AppError)) throw error;
    deps.printErrorLine(`facet: sign: ${error.message}\n${USAGE}`);
    return 2;
  }
}

function sign(args: readonly string[], deps: SignCommandDeps): string {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ttl: { type: "string", default: "1h" },
      bucket: { type: "string", default: "1h" },
      key: { type: "string" },
      origin: { type: "string", default: "" },
    },
  });
  const { keys } = deps;
  if (!keys) throw new TypeError("FACET_SIGNING_KEYS is not set");
  if (positionals.length !== 1) throw new TypeError("one path is expected");
  const [path] = positionals;
  checkPath(path, deps);
  const expiresAtSeconds = bucketExpiry(deps.nowSeconds(), {
    ttlSeconds: parseSeconds(values.ttl),
    bucketSeconds: parseSeconds(values.bucket),
  });
  const keyId = values.key === undefined ? {} : { keyId: values.key };
  return `${values.origin}${path}?${signPath(path, { keys, expiresAtSeconds, ...keyId })}`;
}

/** A path with a mistake in it would be signed all the same, and be refused only when it is used. */
function checkPath(path: string, { presets, formats }: SignCommandDeps): void {
  const match = /^\/([^/?#]*)(?:\/([^?#]*))?$/.exec(path);
  if (!match) throw new TypeError("the path must start with a slash and have no query");
  parseContentHash(match[1]);
  if (match[2] === undefined || parseVariantAlias(match[2], presets)) return;
  parseVariantSpec(match[2], formats);
}

function parseSeconds(text: string): number {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(text);
  if (!match) throw new TypeError(`"${text}" is no duration such as 90s, 15m, 1h or 7d`);
  return Number(match[1]) * UNIT_SECONDS[match[2]];
}

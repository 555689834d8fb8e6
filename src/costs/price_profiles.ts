import type { PriceProfile } from "../core/cost_model.ts";

const GIB = 2 ** 30;

/**
 * Deno Deploy's Pro plan. The figures are those of a third party's transcription, made by a program
 * on 2026-05-04 and -05, that names deno.com/pricing as its source; the page itself could not be
 * read, so they count as not confirmed.
 */
const DENO_DEPLOY = {
  baseUsd: 20,
  requests: { perMillion: 2, included: 5_000_000 },
  egress: { perGb: 0.5, includedGb: 200 },
  compute: { perHour: 0.05, includedHours: 40 },
  kvReads: { perMillion: 1, included: 0 },
  kvWrites: { perMillion: 2.5, included: 0 },
  kvStoragePerGb: 0.75,
} as const;

const DENO_NOTES = [
  "Deno Deploy (Pro: 20 USD with 5 M requests, 200 GB egress and 40 CPU hours; then 2 USD per M, " +
  "0.50 USD per GB, 0.05 USD per hour; KV 1 and 2.50 USD per M units) is not confirmed: taken from " +
  "a third party's transcription of deno.com/pricing, made on 2026-05-05. What KV includes, and " +
  "memory time, are left out.",
  "The database is taken to cost 25 USD a month and 0.35 USD per GB: a placeholder, to be " +
  "replaced by the price of yours.",
];

const DENO_SOURCES = [
  "https://deno.com/pricing, as transcribed in",
  "https://github.com/api-evangelist/deno: plans/deno-plans-pricing.yml, 2026-05-05",
] as const;

const DATABASE = { perMonth: 25, perGb: 0.35 } as const;

/** Cloudflare R2 with Deno Deploy. */
const R2: PriceProfile = {
  name: "r2",
  asOf: "2026-11-22",
  sources: [
    "https://developers.cloudflare.com/r2/pricing/, as it stands in",
    "https://github.com/cloudflare/cloudflare-docs: src/content/docs/r2/pricing.mdx",
    ...DENO_SOURCES,
  ],
  notes: [
    "R2 as published: 0.015 USD per GB-month (infrequent access 0.01), class A 4.50 and class B " +
    "0.36 USD per million, no egress; 10 GB-month, 1 M class A and 10 M class B included. " +
    "Infrequent access costs more per request (9.00 and 0.90 USD per million) and 0.01 USD per GB " +
    "read, which is left out. A GB is taken to be 10⁹ bytes.",
    ...DENO_NOTES,
  ],
  gbBytes: 1e9,
  storage: { standardPerGb: 0.015, infrequentPerGb: 0.01, archivePerGb: 0.01, includedGb: 10 },
  classA: { perMillion: 4.5, included: 1_000_000 },
  classB: { perMillion: 0.36, included: 10_000_000 },
  database: DATABASE,
  ...DENO_DEPLOY,
};

/** Amazon S3 in us-east-1 with Deno Deploy. */
const S3: PriceProfile = {
  name: "s3",
  asOf: "2026-11-22",
  sources: ["https://aws.amazon.com/s3/pricing/, as third parties quote it", ...DENO_SOURCES],
  notes: [
    "S3 in us-east-1 is not confirmed by Amazon, whose page shows prices by script only. 0.023 USD " +
    "per GB-month (first 50 TB) is what third parties quoted in 2022 and in late 2025, infrequent " +
    "access 0.0125 and Glacier Flexible Retrieval 0.0036 what one quoted (undated); 5.00 and 0.40 " +
    "USD per million requests are from memory. A GB is 2³⁰ bytes. Every byte that leaves for Deno Deploy " +
    "costs about 0.09 USD per GB too, which is left out: it depends on the renders' sources.",
    ...DENO_NOTES,
  ],
  gbBytes: GIB,
  storage: { standardPerGb: 0.023, infrequentPerGb: 0.0125, archivePerGb: 0.0036, includedGb: 0 },
  classA: { perMillion: 5, included: 0 },
  classB: { perMillion: 0.4, included: 0 },
  database: DATABASE,
  ...DENO_DEPLOY,
};

/** Profiles by name. `reference` has R2's prices beside the published calculation. */
export const PRICE_PROFILES: Readonly<Record<"r2" | "s3" | "reference", PriceProfile>> = {
  r2: R2,
  s3: S3,
  reference: { ...R2, name: "reference" },
};

/** Whether a profile of this name comes with the service. */
export function isProfileName(name: string): name is keyof typeof PRICE_PROFILES {
  return Object.hasOwn(PRICE_PROFILES, name);
}

/**
 * Reads a profile that a user wrote: the members of {@linkcode PriceProfile}, those left out being
 * R2's.
 *
 * @throws {TypeError} With what is wrong, for the person who wrote it.
 */
export function parsePriceProfile(text: string): PriceProfile {
  const given: unknown = parseJson(text);
  if (!isRecord(given)) throw new TypeError("A price profile is a JSON object");
  const { name, asOf, sources, notes = [], ...prices } = given;
  if (typeof name !== "string" || name === "") throw new TypeError('"name" must be a text');
  if (typeof asOf !== "string" || !/^\d{4}-\d\d-\d\d$/.test(asOf)) {
    throw new TypeError('"asOf" must be a day such as 2026-11-22');
  }
  if (!areTexts(sources) || sources.length === 0) {
    throw new TypeError('"sources" must name where the prices are from');
  }
  if (!areTexts(notes)) throw new TypeError('"notes" must be a list of texts');
  const base: Record<string, unknown> = { ...R2, name, asOf, sources, notes };
  for (const [key, value] of Object.entries(prices)) base[key] = merge(base[key], value, key);
  return base as unknown as PriceProfile;
}

function merge(known: unknown, given: unknown, path: string): unknown {
  if (typeof known === "number") {
    if (typeof given !== "number" || !Number.isFinite(given) || given < 0) {
      throw new TypeError(`"${path}" must be a number that is not negative`);
    }
    if (path === "gbBytes" && given !== 1e9 && given !== GIB) {
      throw new TypeError('"gbBytes" must be 1000000000 or 1073741824');
    }
    return given;
  }
  if (!isRecord(known)) throw new TypeError(`There is no price "${path}"`);
  if (!isRecord(given)) throw new TypeError(`"${path}" must be an object`);
  const merged: Record<string, unknown> = { ...known };
  for (const [key, value] of Object.entries(given)) {
    merged[key] = merge(known[key], value, `${path}.${key}`);
  }
  return merged;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TypeError("A price profile is a JSON object");
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

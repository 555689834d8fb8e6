/**
 * URLs that name no variant of their own but lead to one: `auto` formats and presets.
 *
 * ```text
 * alias  = size "/" quality ".auto"          640x480/80.auto
 *        | preset "." ( format | "auto" )    thumb.webp   thumb.auto
 * preset = a name from the configuration: a letter, then letters, digits and "-", lower case
 * ```
 *
 * They are answered by a redirect to the fixed URL. What `auto` chooses depends on the `Accept`
 * header, and what a preset means depends on the configuration; neither belongs under a URL that is
 * kept for a year, and caches that cannot vary on `Accept` would mix the formats up.
 *
 * @module
 */
import { AppError } from "../errors.ts";
import {
  enumerateSizes,
  formatVariantSize,
  isVariantFormat,
  parseQuality,
  parseVariantSize,
  VARIANT_MEDIA_TYPES,
  type VariantAllowList,
  type VariantFormat,
  type VariantPreset,
  type VariantSpec,
} from "./variant_spec.ts";

/** Presets by name. */
export type VariantPresets = ReadonlyMap<string, VariantPreset>;

/** A variant but for its format. */
export interface VariantAlias extends VariantPreset {
  /** Null when it is to be chosen by what the client accepts. */
  readonly format: VariantFormat | null;
}

const PRESET_FILE = /^([a-z][a-z0-9-]{0,31})\.([a-z0-9]{1,8})$/;
const AUTO_FILE = /^([^/]{1,24})\/(\d{1,5})\.auto$/;

/**
 * Parses presets from the configuration: `name=size/quality` pairs, comma-separated, such as
 * `thumb=320x240/75, hero=1920x/80`.
 *
 * @throws {TypeError} naming the pair that is wrong.
 */
export function parseVariantPresets(text: string): VariantPresets {
  const presets = new Map<string, VariantPreset>();
  for (const pair of text.split(",").map((part) => part.trim()).filter((part) => part !== "")) {
    const match = /^([a-z][a-z0-9-]{0,31})=([^/]+)\/(\d+)$/.exec(pair);
    if (!match || presets.has(match[1])) {
      throw new TypeError(`Cannot parse preset "${pair}": expected name=size/quality, each once`);
    }
    try {
      presets.set(match[1], { ...parseVariantSize(match[2]), quality: parseQuality(match[3]) });
    } catch (cause) {
      throw new TypeError(`Cannot parse preset "${pair}": ${(cause as Error).message}`, { cause });
    }
  }
  return presets;
}

/**
 * Parses the part of a URL after the hash as an alias; null when it has another shape, and is a
 * variant's or nobody's.
 *
 * @throws {AppError} `malformed_variant` for an unknown preset or a wrong size or quality,
 * `variant_out_of_range`.
 */
export function parseVariantAlias(path: string, presets: VariantPresets): VariantAlias | null {
  const auto = AUTO_FILE.exec(path);
  if (auto) {
    return { ...parseVariantSize(auto[1]), quality: parseQuality(auto[2]), format: null };
  }
  const named = PRESET_FILE.exec(path);
  if (!named) return null;
  const preset = presets.get(named[1]);
  if (!preset) throw new AppError("malformed_variant", "There is no preset of this name");
  if (named[2] === "auto") return { ...preset, format: null };
  if (!isVariantFormat(named[2])) {
    throw new AppError("malformed_variant", "This format is not supported");
  }
  return { ...preset, format: named[2] };
}

/** An alias as it is spelled, with what it stands for. */
export interface NamedAlias extends VariantAlias {
  /** The part of the URL after the hash. */
  readonly name: string;
  /** The preset that it names; null when it names a size. */
  readonly preset: string | null;
}

/** Lists every alias whose variants need no signature: the presets, then the sizes with `auto`. */
export function* enumerateAliases(
  allowed: VariantAllowList,
  presets: VariantPresets,
): Generator<NamedAlias> {
  for (const [preset, variant] of presets) {
    for (const format of [null, ...allowed.formats]) {
      yield { ...variant, format, preset, name: `${preset}.${format ?? "auto"}` };
    }
  }
  for (const size of enumerateSizes(allowed)) {
    for (const quality of allowed.qualities) {
      const name = `${formatVariantSize(size)}/${quality}.auto`;
      yield { ...size, quality, format: null, preset: null, name };
    }
  }
}

/**
 * Chooses the format of an `auto` URL: of those that the client likes best the most compact one.
 *
 * For WebP and AVIF a wildcard does not count: `*`/`*` is sent by everything, also by what cannot
 * show them. What is left is what every client shows, PNG first where transparency would be lost.
 *
 * @param accept The `Accept` header (RFC 9110 section 12.5.1).
 */
export function negotiateFormat(
  accept: string,
  options: { readonly formats: readonly VariantFormat[]; readonly hasAlpha: boolean },
): VariantFormat {
  const weights = parseAccept(accept);
  const shown: VariantFormat[] = options.hasAlpha ? ["png", "jpg"] : ["jpg", "png"];
  const made = (format: VariantFormat) => options.formats.includes(format);
  const compact = (["avif", "webp"] as const).filter(made);
  const plain = shown.filter(made);
  const candidates = [
    ...compact.map((format) => ({ format, weight: weights.get(VARIANT_MEDIA_TYPES[format]) ?? 0 })),
    ...plain.map((format) => ({ format, weight: weighPlain(weights, format) })),
  ];
  const best = Math.max(0, ...candidates.map(({ weight }) => weight));
  // A client that takes none of them gets a picture all the same.
  return candidates.find(({ weight }) => best > 0 && weight === best)?.format ??
    plain[0] ?? options.formats[0];
}

/** Completes an alias with a format. */
export function resolveVariantAlias(alias: VariantAlias, format: VariantFormat): VariantSpec {
  const { fit, width, height, quality } = alias;
  return { fit, width, height, quality, format };
}

function weighPlain(weights: ReadonlyMap<string, number>, format: VariantFormat): number {
  return weights.get(VARIANT_MEDIA_TYPES[format]) ?? weights.get("image/*") ??
    weights.get("*/*") ?? 0;
}

/** Weights, 0 to 1, by media range. What is malformed counts as 1, as if nothing were said. */
function parseAccept(accept: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const part of accept.slice(0, 2048).toLowerCase().split(",")) {
    const [name, ...parameters] = part.split(";").map((text) => text.trim());
    const weight = parameters.map((text) => /^q=([01](?:\.\d{0,3})?)$/.exec(text)?.[1]).find(
      Boolean,
    );
    weights.set(name, Math.min(1, Number(weight ?? 1)));
  }
  return weights;
}

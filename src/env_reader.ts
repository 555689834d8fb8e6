/**
 * Reads and checks environment variables, and remembers every one it was asked for, so that all
 * problems are reported at once and the effective configuration can be printed.
 *
 * @module
 */

/** Looks a variable up; `Deno.env.get` in the service, a map in tests. */
export type EnvSource = (name: string) => string | undefined;

/** One variable with the value in force. */
export interface EnvEntry {
  readonly name: string;
  /** The effective value as text; secrets are masked. */
  readonly value: string;
  /** Whether the value was set, or is the default. */
  readonly origin: "set" | "default";
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Typed access to environment variables. Never throws: it collects {@linkcode problems}. */
export class EnvReader {
  /** One sentence per bad or missing variable. */
  readonly problems: string[] = [];
  /** Every variable asked for, in order. */
  readonly entries: EnvEntry[] = [];
  readonly #source: EnvSource;

  constructor(source: EnvSource) {
    this.#source = source;
  }

  /** The value of `name` or of the first alias that is set; undefined when none is, or it is empty. */
  optional(
    name: string,
    options: { secret?: boolean; aliases?: readonly string[] } = {},
  ): string | undefined {
    const value = [name, ...(options.aliases ?? [])]
      .map((each) => this.#source(each)?.trim())
      .find((each) => each !== undefined && each !== "");
    const shown = value === undefined ? "" : options.secret ? "********" : value;
    this.entries.push({ name, value: shown, origin: value === undefined ? "default" : "set" });
    return value;
  }

  /** A text with a default. */
  text(name: string, fallback: string): string {
    return this.#read(name, fallback, (text) => text);
  }

  /** An `http:` or `https:` URL without a trailing slash, or undefined when it is not set. */
  url(name: string, options: { aliases?: readonly string[] } = {}): string | undefined {
    const value = this.optional(name, options);
    if (value === undefined) return undefined;
    if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
      this.problems.push(`${name} must be an http or https URL`);
      return undefined;
    }
    return value.replace(/\/+$/, "");
  }

  /** A `postgres:` URL that a driver can take apart, or undefined when it is not set. Secret. */
  postgresUrl(name: string): string | undefined {
    const value = this.optional(name, { secret: true });
    if (value !== undefined && (!/^postgres(ql)?:\/\/[^#]+$/.test(value) || !canDecode(value))) {
      this.problems.push(`${name} must be like postgres://user:password@host:5432/database`);
    }
    return value;
  }

  /**
   * A value in a format of its own, or undefined when it is not set. What `parse` throws is a
   * problem; the text itself is not repeated when it is secret.
   */
  parsed<T>(
    name: string,
    parse: (text: string) => T,
    options: { secret?: boolean } = {},
  ): T | undefined {
    const text = this.optional(name, options);
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (error) {
      this.problems.push(`${name}: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** One of a closed list of words. */
  choice<T extends string>(name: string, fallback: T, allowed: readonly T[]): T {
    return this.#read(name, fallback, (text) => {
      const found = allowed.find((each) => each === text);
      if (found === undefined) throw new RangeError(`must be one of ${allowed.join(", ")}`);
      return found;
    });
  }

  /** `true`/`1`/`yes`/`on`, or `false`/`0`/`no`/`off`. */
  flag(name: string, fallback: boolean): boolean {
    return this.#read(name, fallback, (text) => {
      if (/^(true|1|yes|on)$/i.test(text)) return true;
      if (/^(false|0|no|off)$/i.test(text)) return false;
      throw new RangeError("must be true or false");
    });
  }

  /** A whole number in `[min, max]`. */
  integer(name: string, fallback: number, range: { min: number; max: number }): number {
    return this.#read(name, fallback, (text) => parseInteger(text, range));
  }

  /** Comma-separated whole numbers in `[min, max]`, sorted, without repeats; at least one. */
  integers(
    name: string,
    fallback: readonly number[],
    range: { min: number; max: number },
  ): readonly number[] {
    return this.#read(name, fallback, (text) => {
      const numbers = text.split(",").map((each) => parseInteger(each.trim(), range));
      return [...new Set(numbers)].sort((a, b) => a - b);
    });
  }

  /** Comma-separated words from a closed list; at least one. */
  choices<T extends string>(
    name: string,
    fallback: readonly T[],
    allowed: readonly T[],
  ): readonly T[] {
    return this.#read(name, fallback, (text) => {
      const words = text.split(",").map((each) => each.trim());
      const found = allowed.filter((each) => words.includes(each));
      if (found.length !== new Set(words).size) {
        throw new RangeError(`must be a comma-separated choice of ${allowed.join(", ")}`);
      }
      return found;
    });
  }

  /** A number of bytes: `8388608`, `8MiB`, `25 MB`. */
  bytes(name: string, fallback: number, range: { min: number; max: number }): number {
    return this.#read(name, fallback, (text) => {
      const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
      const unit = match ? BYTE_UNITS[match[2].toLowerCase()] : undefined;
      if (!match || unit === undefined) {
        throw new RangeError("must be a number of bytes, such as 8MiB");
      }
      return checkRange(Math.round(Number(match[1]) * unit), range);
    }, formatBytes);
  }

  /** A duration: `1500ms`, `30s`, `5m`, `24h`, `180d`. Returns milliseconds. */
  durationMs(name: string, fallback: number, range: { min: number; max: number }): number {
    return this.#read(name, fallback, (text) => {
      const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text);
      if (!match) throw new RangeError("must be a duration, such as 500ms, 30s, 5m, 24h or 180d");
      return checkRange(Math.round(Number(match[1]) * DURATION_UNITS[match[2]]), range);
    }, formatDuration);
  }

  #read<T>(
    name: string,
    fallback: T,
    parse: (text: string) => T,
    format: (value: T) => string = String,
  ): T {
    const text = this.#source(name)?.trim();
    if (text === undefined || text === "") {
      this.entries.push({ name, value: format(fallback), origin: "default" });
      return fallback;
    }
    try {
      const value = parse(text);
      this.entries.push({ name, value: format(value), origin: "set" });
      return value;
    } catch (error) {
      this.problems.push(`${name} ${(error as Error).message} (it is "${text.slice(0, 80)}")`);
      return fallback;
    }
  }
}

function parseInteger(text: string, range: { min: number; max: number }): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new RangeError("must be a whole number");
  return checkRange(Number(text), range);
}

function checkRange(value: number, { min, max }: { min: number; max: number }): number {
  if (value < min || value > max) throw new RangeError(`must lie between ${min} and ${max}`);
  return value;
}

/** Bytes in the largest binary unit that divides them: 8388608 → `8MiB`. */
function formatBytes(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    const size = BYTE_UNITS[unit.toLowerCase()];
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

/** Milliseconds in the largest unit that divides them: 30000 → `30s`. */
function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const size = DURATION_UNITS[unit];
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
